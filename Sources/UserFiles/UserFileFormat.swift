/// A file format for users that the program writes and reads.
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

/// A format of files that the program reads.
public enum ImportFormat: Hashable, Sendable {
  /// A file of this program's own format.
  case users(UserFileFormat)
  /// `firebase auth:export` to JSON. Without the project's hashing, users with a password are rejected.
  case firebase(FirebaseHashing?)
  /// Identities of Ory Kratos, as its admin API returns or takes them.
  case kratos
  /// An export of the users, or of the password hashes, of an Auth0 database connection, or a file for its bulk import.
  case auth0
  /// An export of a Keycloak realm with its users.
  case keycloak

  /// The format of the files of rows that were not stored.
  public var rejectedFormat: UserFileFormat {
    if case .users(let format) = self { format } else { .jsonl }
  }

  /// The name of the array of users in a document that is an object.
  var listName: String {
    self == .kratos ? "identities" : "users"
  }
}

/// The columns of a CSV file, and the keys of a JSON object.
enum UserColumn: String, CaseIterable {
  case id
  case email
  case name
  case status
  case createdAt = "created_at"
  case updatedAt = "updated_at"
  case deletedAt = "deleted_at"
  case purgeAt = "purge_at"
  /// In CSV, the text of a JSON object.
  case labels
  case passwordHash = "password_hash"
  case password
  // A column only of a listing, which an import ignores: the service assigns it.
  case etag
  // Columns only of a file of rejected rows.
  case line
  case reason

  /// The columns that describe a user.
  static let read = allCases.filter { ![.etag, .line, .reason].contains($0) }
  /// The columns of a listing.
  static let listed = [
    Self.id, .email, .name, .status, .createdAt, .updatedAt, .deletedAt, .purgeAt, .labels, .etag,
  ]
  /// The columns of an export. ``passwordHash`` is there even if it is empty: it distinguishes an export from a listing.
  static let exported = read.filter { $0 != .password }

  /// The columns by their names, each with a bit of its own: `init(rawValue:)` compares one name after another.
  static let byName = Dictionary(
    uniqueKeysWithValues: allCases.enumerated().map { index, column in
      (column.rawValue, (column: column, bit: UInt32(1) << UInt32(index)))
    })

  static func unknown(_ name: String) -> String {
    "'\(name)' is not one of \(read.map(\.rawValue).joined(separator: ", "))"
  }
}
