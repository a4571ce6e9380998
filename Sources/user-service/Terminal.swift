import Foundation
import UserServiceApp

/// The commands' input and output at a terminal.
enum Terminal {
  /// Whether standard input is a terminal, so that the user can be asked.
  static var isInteractive: Bool { isatty(STDIN_FILENO) == 1 }

  /// Writes a line to standard output unbuffered, after ``harmless(_:)``.
  static func say(_ line: String) {
    write(harmless(line) + "\n", to: .standardOutput)
  }

  /// Writes lines for people to standard error, after ``harmless(_:)``.
  static func note(_ lines: String, ending: String = "\n") {
    let lines = lines.split(separator: "\n", omittingEmptySubsequences: false).map { harmless(String($0)) }
    write(lines.joined(separator: "\n") + ending, to: .standardError)
  }

  /// Replaces the current line of the terminal with `text`, which must be the program's own.
  static func showProgress(_ text: String) {
    // Carriage return, then erase to the end of the line.
    write("\r\(text)\u{1B}[K", to: .standardError)
  }

  /// Asks a yes-or-no question. Every answer except `y` and `yes` means no.
  static func confirms(_ question: String) -> Bool {
    write("\(question) [y/N] ", to: .standardError)
    return ["y", "yes"].contains(readLine()?.lowercased())
  }

  /// Returns `text` with terminal controls replaced, so that a user's name cannot move the cursor or change the text
  /// direction.
  static func harmless(_ text: String) -> String {
    let scalars = text.unicodeScalars
    if !scalars.contains(where: \.isObeyed) { return text }
    return String(String.UnicodeScalarView(scalars.map { $0.isObeyed ? "\u{FFFD}" : $0 }))
  }

  private static func write(_ text: String, to file: FileHandle) {
    // A command does not fail because its notes cannot be written.
    try? file.write(contentsOf: Data(text.utf8))
  }

  /// Formats rows as the lines of a table, each cell after ``harmless(_:)``.
  static func table(_ rows: [[String]]) -> String {
    let rows = rows.map { $0.map(harmless) }
    let table = TextTable(fitting: rows)
    return rows.map { table.line($0) }.joined(separator: "\n")
  }
}
