import Foundation

/// What the commands say, and to whom.
enum Terminal {
  /// Whether a person may be asked: standard input is a terminal.
  static var isInteractive: Bool { isatty(STDIN_FILENO) == 1 }

  /// Writes a line to standard output at once, also when that is a file or a pipe.
  static func say(_ line: String) {
    write(line + "\n", to: .standardOutput)
  }

  /// Writes a line to standard error: for people, beside the output proper.
  static func note(_ line: String, ending: String = "\n") {
    write(line + ending, to: .standardError)
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
    if !scalars.contains(where: isObeyed) { return text }
    return String(String.UnicodeScalarView(scalars.map { isObeyed($0) ? "\u{FFFD}" : $0 }))
  }

  private static func isObeyed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x061C, 0x200E...0x200F, 0x202A...0x202E, 0x2066...0x2069: true  // Unicode's bidirectional controls
    default: scalar.properties.generalCategory == .control
    }
  }

  private static func write(_ text: String, to file: FileHandle) {
    // Nobody reads what is written for people when it cannot be written: no reason to fail.
    try? file.write(contentsOf: Data(text.utf8))
  }

  /// Rows as the lines of a table.
  static func table(_ rows: [[String]]) -> String {
    let table = TextTable(fitting: rows)
    return rows.map { table.line($0) }.joined(separator: "\n")
  }
}
