public import UserServiceClient

/// A user to import, as read from a file.
public struct UserFileRow: Hashable, Sendable {
  /// The reason why a row is invalid.
  public struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
    /// The reason in one sentence.
    public let description: String

    /// Creates a problem with this description.
    public init(_ description: String) {
      self.description = description
    }
  }

  /// The line where the row begins, from 1.
  public let line: Int
  /// The user, or the reason why the row is invalid.
  public let user: Result<ImportedUser, Problem>
  /// The row's bytes in the file, for a file of rejected rows: JSON without a line ending, or a CSV record with it. The
  /// columns `line` and `reason` of an earlier such file are removed, a row that is too long is truncated, and line breaks
  /// between the tokens of JSON are spaces.
  let original: [UInt8]
}
