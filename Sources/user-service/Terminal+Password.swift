import ArgumentParser
import Foundation

extension Terminal {
  /// Asks for a password without echoing it.
  ///
  /// - Throws: `ValidationError` without a terminal; `ExitCode` when the user interrupts the question, or types
  ///   invalid UTF-8 or a control character, such as that of an arrow key.
  static func password(_ question: String) throws -> String {
    guard isInteractive else {
      throw ValidationError("cannot ask for the password without a terminal; use --password-file")
    }
    // The echo is switched off and pending input discarded before the question, so that an immediate answer is read
    // whole.
    return try withoutEcho {
      note(question, ending: ": ")
      defer { note("") }
      var bytes: [UInt8] = []
      while true {
        var byte: UInt8 = 0
        // An interrupted or failed read, or the end of the terminal, cancels like Ctrl-C.
        guard read(STDIN_FILENO, &byte, 1) == 1 else { throw ExitCode.failure }
        switch byte {
        case 0x0A, 0x0D:
          guard let text = String(validating: bytes, as: UTF8.self),
            !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
          else {
            note("")
            note("A pressed key is not a character; nothing was done.", ending: "")
            throw ExitCode.failure
          }
          return text
        case 0x03, 0x04: throw ExitCode(130)  // Ctrl-C or Ctrl-D: the exit code of a process ended by SIGINT.
        case 0x15: bytes = []  // Ctrl-U
        case 0x08, 0x7F:
          // A character may have several bytes; all but the first have the high bits 10.
          while let last = bytes.popLast(), last & 0xC0 == 0x80 {}
        default: bytes.append(byte)
        }
      }
    }
  }

  /// Asks for a new password, twice.
  ///
  /// - Throws: the errors of ``password(_:)``, and `ExitCode` if the two differ.
  static func newPassword() throws -> String {
    let first = try password("New password")
    guard try password("Repeat the password") == first else {
      note("The passwords differ; nothing was changed.")
      throw ExitCode.failure
    }
    return first
  }

  /// Reads keys one at a time, including Ctrl-C, so that the terminal's mode is always restored.
  private static func withoutEcho<Result>(_ body: () throws -> Result) throws -> Result {
    var before = termios()
    guard tcgetattr(STDIN_FILENO, &before) == 0 else { throw ExitCode.failure }
    var quiet = before
    quiet.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
    guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0 else { throw ExitCode.failure }
    defer { tcsetattr(STDIN_FILENO, TCSADRAIN, &before) }
    return try body()
  }
}
