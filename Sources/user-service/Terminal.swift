import Foundation
import UserServiceApp

/// What the commands say, and to whom.
enum Terminal {
  /// Whether a person may be asked: standard input is a terminal.
  static var isInteractive: Bool { isatty(STDIN_FILENO) == 1 }

  /// Writes a line to standard output at once, also when that is a file or a pipe; ``harmless(_:)``, as everything here.
  static func say(_ line: String) {
    write(harmless(line) + "\n", to: .standardOutput)
  }

  /// Writes lines to standard error: for people, beside the output proper.
  static func note(_ lines: String, ending: String = "\n") {
    let lines = lines.split(separator: "\n", omittingEmptySubsequences: false).map { harmless(String($0)) }
    write(lines.joined(separator: "\n") + ending, to: .standardError)
  }

  /// Shows `text` on the current line of the terminal, in place of what is there. For text of the program's own.
  static func showProgress(_ text: String) {
    // To the line's beginning, and its rest away.
    write("\r\(text)\u{1B}[K", to: .standardError)
  }

  /// Asks a yes-or-no question. Anything but `y` or `yes` is a no.
  static func confirms(_ question: String) -> Bool {
    write("\(question) [y/N] ", to: .standardError)
    return ["y", "yes"].contains(readLine()?.lowercased())
  }

  /// `text` without what a terminal would obey: whoever has chosen a user's name is not to move the cursor, nor to turn
  /// the direction of the line.
  static func harmless(_ text: String) -> String {
    let scalars = text.unicodeScalars
    if !scalars.contains(where: \.isObeyed) { return text }
    return String(String.UnicodeScalarView(scalars.map { $0.isObeyed ? "\u{FFFD}" : $0 }))
  }

  private static func write(_ text: String, to file: FileHandle) {
    // Nobody reads what is written for people when it cannot be written: no reason to fail.
    try? file.write(contentsOf: Data(text.utf8))
  }

  /// Rows as the lines of a table, each cell ``harmless(_:)``.
  static func table(_ rows: [[String]]) -> String {
    let rows = rows.map { $0.map(harmless) }
    let table = TextTable(fitting: rows)
    return rows.map { table.line($0) }.joined(separator: "\n")
  }
}
