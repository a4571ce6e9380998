/// The kinds of Prometheus' metrics.
enum Kind: String {
  case counter, gauge, histogram, summary

  /// Returns the name of a metric of this kind, made from swift-metrics' label.
  func name(of label: String) -> String {
    let name = TextFormat.name(label)
    switch self {
    case .counter: return name.hasSuffix("_total") ? name : name + "_total"
    case .histogram: return name + "_seconds"
    case .gauge, .summary: return name
    }
  }
}

/// The labels of a series, ordered by name.
struct Labels: Hashable, Comparable {
  /// The text `name="value"`, separated by commas.
  let text: String

  init(_ dimensions: [(String, String)]) {
    text = dimensions.sorted { $0.0 < $1.0 }.map { name, value in
      "\(TextFormat.name(name))=\"\(TextFormat.escaped(value))\""
    }.joined(separator: ",")
  }

  static func < (left: Labels, right: Labels) -> Bool { left.text < right.text }
}

/// A builder of the text format.
struct TextFormat {
  private(set) var text = ""

  /// Writes the lines above a metric's series.
  mutating func begin(_ name: String, _ kind: Kind, help: String?) {
    if let help { text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n" }
    text += "# TYPE \(name) \(kind.rawValue)\n"
  }

  /// Writes one line. `extra` is one more label.
  mutating func line(
    _ name: String, _ labels: Labels, extra: String = "", _ value: some CustomStringConvertible
  ) {
    text += name
    let all = [labels.text, extra].filter { !$0.isEmpty }.joined(separator: ",")
    if !all.isEmpty { text += "{\(all)}" }
    text += " \(value)\n"
  }

  /// Returns `text` with `_` for characters that are invalid in names.
  static func name(_ text: String) -> String {
    var name = String(
      text.map { character in
        character.isASCII && (character.isLetter || character.isNumber) ? character : "_"
      })
    if name.first?.isNumber ?? true { name = "_" + name }
    return name
  }

  static func escaped(_ text: String, quotes: Bool = true) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\n": escaped += "\\n"
      case "\"" where quotes: escaped += "\\\""
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
