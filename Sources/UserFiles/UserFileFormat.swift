/// A file format for users.
public enum UserFileFormat: String, Sendable, CaseIterable {
  /// RFC 4180; the first line names the columns.
  case csv
  /// One JSON object a line (jsonlines.org).
  case jsonl

  /// Returns the format that the extension of `path` names, or nil.
  public init?(path: String) {
    guard let dot = path.lastIndex(of: "."),
      let format = Self(rawValue: path[path.index(after: dot)...].lowercased())
    else { return nil }
    self = format
  }
}

/// The columns of a CSV file, and the keys of a JSON object.
enum UserColumn: String, CaseIterable {
  case email
  case name
  case password
  // Columns only of a listing; the service assigns their values.
  case id
  case status
  case createdAt = "created_at"
  // Columns only of a file of rejected rows.
  case line
  case reason

  /// The columns that describe a new user.
  static let read = [Self.email, .name, .password]
  /// The columns of a listing.
  static let listed = [Self.id, .email, .name, .status, .createdAt]

  static func unknown(_ name: String) -> String {
    "'\(name)' is not one of \(read.map(\.rawValue).joined(separator: ", "))"
  }
}
