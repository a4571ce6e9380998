/// Text that a spreadsheet would take for a formula (OWASP, "CSV Injection"). Behind a `'` it is text.
enum SpreadsheetText {
  /// `=`, `+`, `-`, `@`, their full-width forms, tab, carriage return and line feed.
  private static let beginnings: Set<Unicode.Scalar> = [
    "=", "+", "-", "@", "\u{FF1D}", "\u{FF0B}", "\u{FF0D}", "\u{FF20}", "\t", "\r", "\n",
  ]

  /// `text`, with a `'` in front if a spreadsheet would take it for a formula.
  static func quoted(_ text: String) -> String {
    isFormula(text[...]) ? "'\(text)" : text
  }

  /// Whether ``quoted(_:)`` may have made `text`.
  static func isQuoted(_ text: String) -> Bool {
    text.unicodeScalars.first == "'" && isFormula(Substring(text.unicodeScalars.dropFirst()))
  }

  private static func isFormula(_ text: Substring) -> Bool {
    text.unicodeScalars.first.map(beginnings.contains) ?? false
  }
}
