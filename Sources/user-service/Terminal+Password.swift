import ArgumentParser
import Foundation

extension Terminal {
  /// Asks for a password that nobody sees.
  ///
  /// - Throws: `ValidationError` if there is no terminal, `ExitCode` if the person gives up, or has typed what is not
  ///   UTF-8 or a control character, such as that of an arrow key.
  static func password(_ question: String) throws -> String {
    guard isInteractive else {
      throw ValidationError("there is no terminal to ask for the password at; use --password-file")
    }
    // Asked only when nothing is shown any more, and what was typed before is forgotten: whoever answers at once is heard.
    return try withoutEcho {
      note(question, ending: ": ")
      defer { note("") }
      var bytes: [UInt8] = []
      while true {
        var byte: UInt8 = 0
        // An interrupted or failed read, or the end of the terminal, ends the question as Ctrl-C does.
        guard read(STDIN_FILENO, &byte, 1) == 1 else { throw ExitCode.failure }
        switch byte {
        case 0x0A, 0x0D:
          guard let text = String(validating: bytes, as: UTF8.self),
            !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
          else {
            note("")
            note("A key was pressed that gives no letter; nothing was done.", ending: "")
            throw ExitCode.failure
          }
          return text
        case 0x03, 0x04: throw ExitCode(130)  // Ctrl-C and Ctrl-D; as of a process that SIGINT has ended.
        case 0x15: bytes = []  // Ctrl-U
        case 0x08, 0x7F:
          // A character may have several bytes; all but the first begin with the bits 10.
          while let last = bytes.popLast(), last & 0xC0 == 0x80 {}
        default: bytes.append(byte)
        }
      }
    }
  }

  /// Asks for a new password, twice.
  ///
  /// - Throws: as ``password(_:)``, and `ExitCode` if the two differ.
  static func newPassword() throws -> String {
    let first = try password("New password")
    guard try password("The same again") == first else {
      note("The passwords differ; nothing was changed.")
      throw ExitCode.failure
    }
    return first
  }

  /// Takes the keys one by one, and Ctrl-C as one of them, so that the terminal is left as it was found.
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
