/// Escapes text that a spreadsheet would read as a formula (OWASP, "CSV Injection"), by putting a `'` before it.
enum SpreadsheetText {
  /// `=`, `+`, `-`, `@`, their full-width forms, tab, carriage return and line feed.
  private static let beginnings: Set<Unicode.Scalar> = [
    "=", "+", "-", "@", "\u{FF1D}", "\u{FF0B}", "\u{FF0D}", "\u{FF20}", "\t", "\r", "\n",
  ]

  /// Returns `text`, prefixed with `'` if a spreadsheet would read it as a formula.
  static func quoted(_ text: String) -> String {
    isFormula(text[...]) ? "'\(text)" : text
  }

  /// Whether `text` may be a result of ``quoted(_:)``.
  static func isQuoted(_ text: String) -> Bool {
    text.unicodeScalars.first == "'" && isFormula(Substring(text.unicodeScalars.dropFirst()))
  }

  private static func isFormula(_ text: Substring) -> Bool {
    text.unicodeScalars.first.map(beginnings.contains) ?? false
  }
}
