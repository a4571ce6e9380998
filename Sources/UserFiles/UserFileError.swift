/// The reason why the rest of a file cannot be read.
public struct UserFileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The line, from 1.
  public let line: Int
  private let words: String

  init(line: Int, _ words: String) {
    self.line = line
    self.words = words
  }

  /// The line and its problem.
  public var description: String { "line \(line): \(words)" }
}
