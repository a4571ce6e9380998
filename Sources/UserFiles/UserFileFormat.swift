/// How users are written in a file.
public enum UserFileFormat: String, Sendable, CaseIterable {
  /// RFC 4180, with a first line that names the columns.
  case csv
  /// A JSON object a line (jsonlines.org).
  case jsonl

  /// The format of a file of that name, by its ending.
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
  // What a listing has besides; it is the service that gives these.
  case id
  case status
  case createdAt = "created_at"
  // What a file of rejected rows has besides.
  case line
  case reason

  /// Those that make a user.
  static let read = [Self.email, .name, .password]
  /// Those of a listing.
  static let listed = [Self.id, .email, .name, .status, .createdAt]

  static func unknown(_ name: String) -> String {
    "'\(name)' is none of \(read.map(\.rawValue).joined(separator: ", "))"
  }
}
