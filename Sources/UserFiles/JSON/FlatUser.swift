import UserServiceClient

/// A user as an object of this program's own format, whose members are the columns of a CSV file.
enum FlatUser {
  /// Reads the object at which the reader is, and which is the whole of `bytes`. Returns nil for a note.
  ///
  /// - Throws: `Problem`.
  static func read(
    _ reader: inout JSONReader, _ bytes: UnsafeBufferPointer<UInt8>
  ) throws(UserFileRow.Problem) -> ImportedUser? {
    var members = Members()
    // The first problem of a member. The text is read to its end, because a malformed line has that problem.
    var problem: UserFileRow.Problem?
    do throws(JSONReader.Fault) {
      var isFirst = true
      try reader.beginObject()
      while let name = try reader.nextName(&isFirst) {
        let value = try reader.value()
        do throws(UserFileRow.Problem) {
          try members.take(name, value)
        } catch {
          problem = problem ?? error
        }
      }
      try reader.end()
    } catch {
      throw JSONUsers.problem(of: bytes, error)
    }
    if let problem { throw problem }
    if members.areNote { return nil }
    if !members.haveEmail { throw UserFileRow.Problem("email is missing") }
    return members.user
  }

  /// The members that were read.
  private struct Members {
    var user = ImportedUser(email: "")
    /// A bit for each column that was read: a set would be allocated for each row.
    private var columns: UInt32 = 0
    private var hasOtherNotes = false

    private static let email = bit(of: .email)
    private static let note = bit(of: .line) | bit(of: .reason)

    private static func bit(of column: UserColumn) -> UInt32 { UserColumn.byName[column.rawValue]?.bit ?? 0 }

    var haveEmail: Bool { columns & Self.email != 0 }

    /// Whether the object is a note about a rejected row: its only members are the texts `line` and `reason`.
    var areNote: Bool { columns == Self.note && !hasOtherNotes }

    mutating func take(_ name: String, _ value: JSONValue) throws(UserFileRow.Problem) {
      guard let (column, bit) = UserColumn.byName[name] else {
        throw UserFileRow.Problem("the key \(UserColumn.unknown(name))")
      }
      if columns & bit != 0 { throw UserFileRow.Problem("the key '\(name)' appears twice") }
      columns |= bit
      switch (column, value) {
      case (.line, _), (.reason, _): if value.text == nil { hasOtherNotes = true }
      case (_, .string(let text)) where column != .labels: try user.set(column, text)
      case (.labels, .object): user.labels = try ImportedUser.labels(value)
      case (_, .null) where column != .email: break
      case (.labels, _): throw UserFileRow.Problem("labels is not a JSON object")
      case (_, _): throw UserFileRow.Problem("\(name) is not a string")
      }
    }
  }
}
