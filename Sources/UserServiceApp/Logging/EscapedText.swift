extension Unicode.Scalar {
  /// Whether a terminal may act on the character: controls (C0, DEL, C1), line and paragraph separators, and
  /// Unicode's bidirectional controls, which change the text direction.
  package var isObeyed: Bool {
    switch value {
    case 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: properties.generalCategory == .control
    }
  }
}

extension String {
  /// The text with terminal controls escaped as `\n`, `\r`, `\t`, or in the form `\u{1B}`.
  package var escapingControls: String {
    if !unicodeScalars.contains(where: \.isObeyed) { return self }
    var text = ""
    for scalar in unicodeScalars {
      switch scalar {
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.isObeyed: text += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
