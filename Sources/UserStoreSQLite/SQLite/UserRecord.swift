import GRDB
import UserDomain

/// A user to be stored, with everything that a row of `users` has.
struct UserRecord {
  var user: User
  /// The place in the order of creation; nil if that is the id.
  var place: UserID?
  var passwordHash: PasswordHash?

  /// The text by which a name is searched; nil if SQLite's lower() makes it of the name, as of ASCII.
  static func nameKey(_ name: UserName) -> String? {
    name.text.utf8.allSatisfy { $0 < 0x80 } ? nil : name.searchKey
  }
}

/// The statements that insert users, with their labels and password hashes.
final class UserInsertStatements {
  private let insert: PreparedStatement
  private let insertWhole: PreparedStatement
  private let credentials: CredentialStatements
  private let labels: LabelStatements

  init(
    _ connection: SQLiteConnection, credentials: CredentialStatements, labels: LabelStatements
  ) throws(DatabaseError) {
    self.credentials = credentials
    self.labels = labels
    let columns = "id, email, email_key, name, status, created_at, labels, name_key"
    insert = try connection.prepare(
      "INSERT INTO users (\(columns)) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
    insertWhole = try connection.prepare(
      """
      INSERT INTO users (\(columns), updated_at, deleted_at, purge_at, place)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
      """)
  }

  /// Stores a user. Returns false, with nothing stored, if its id, its address or its place is taken.
  func insert(_ record: UserRecord) throws(DatabaseError) -> Bool {
    let user = record.user
    do throws(DatabaseError) {
      if record.place == nil, user.updatedAt == user.createdAt, user.deletion == nil {
        try insert(user, with: insert)
      } else {
        try bindRest(record)
        try insert(user, with: insertWhole)
      }
    } catch {
      switch error.extendedResultCode {
      case .SQLITE_CONSTRAINT_UNIQUE, .SQLITE_CONSTRAINT_PRIMARYKEY: return false
      default: throw error
      }
    }
    if let hash = record.passwordHash { try credentials.put(hash, for: user.id) }
    try labels.add(user.labels, to: user.id)
    return true
  }

  private func bindRest(_ record: UserRecord) throws(DatabaseError) {
    let user = record.user
    let updatedAt = user.updatedAt == user.createdAt ? nil : user.updatedAt
    try insertWhole.bind(updatedAt?.microsecondsSinceEpoch, at: 9)
    try insertWhole.bind(user.deletion?.deletedAt.microsecondsSinceEpoch, at: 10)
    try insertWhole.bind(user.deletion?.purgeAt.microsecondsSinceEpoch, at: 11)
    if let place = record.place {
      try insertWhole.bind(place, at: 12)
    } else {
      try insertWhole.bindNull(at: 12)
    }
  }

  private func insert(_ user: User, with statement: PreparedStatement) throws(DatabaseError) {
    let (email, key, name) = (user.email.address, user.email.uniquenessKey, user.name.text)
    try statement.bind(Int64(user.status.rawValue), at: 5)
    try statement.bind(user.createdAt.microsecondsSinceEpoch, at: 6)
    try statement.bind(user.labels.isEmpty ? nil : user.labels.text, at: 7)
    try statement.bind(UserRecord.nameKey(user.name), at: 8)
    try user.id.withUnsafeBytes { (id) throws(DatabaseError) in
      try statement.bind(lent: id, at: 1)
      try email.utf8Span.span.withUnsafeBufferPointer { (email) throws(DatabaseError) in
        try statement.bind(lent: email, at: 2)
        try key.utf8Span.span.withUnsafeBufferPointer { (key) throws(DatabaseError) in
          try statement.bind(lent: key, at: 3)
          try name.utf8Span.span.withUnsafeBufferPointer { (name) throws(DatabaseError) in
            try statement.bind(lent: name, at: 4)
            try statement.run()
          }
        }
      }
    }
  }
}
