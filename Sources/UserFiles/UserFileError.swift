/// Why a file cannot be read any further.
public struct UserFileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The line, from 1.
  public let line: Int
  private let words: String

  init(line: Int, _ words: String) {
    self.line = line
    self.words = words
  }

  /// The line, and what is wrong there.
  public var description: String { "line \(line): \(words)" }
}
