import GRDB
import UserDomain

/// The statements that write password hashes.
final class CredentialStatements {
  private let put: PreparedStatement
  private let delete: PreparedStatement

  init(_ connection: SQLiteConnection) throws(DatabaseError) {
    put = try connection.prepare(
      """
      INSERT INTO password_credentials (user_id, phc_hash) VALUES (?1, ?2)
      ON CONFLICT (user_id) DO UPDATE SET phc_hash = excluded.phc_hash
      """)
    delete = try connection.prepare("DELETE FROM password_credentials WHERE user_id = ?1")
  }

  func put(_ hash: PasswordHash, for user: UserID) throws(DatabaseError) {
    try put.bind(user, at: 1)
    try put.bind(hash.phcString, at: 2)
    try put.run()
  }

  func delete(of user: UserID) throws(DatabaseError) {
    try delete.bind(user, at: 1)
    try delete.run()
  }
}
