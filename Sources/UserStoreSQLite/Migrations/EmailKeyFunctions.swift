import Foundation
import GRDB
import UserDomain

/// The SQL functions that migrations of `users.email_key` call. Applied migrations are immutable, so each rule keeps
/// its number and its meaning.
enum EmailKeyFunctions {
  /// Defines the functions on a connection. Repeated calls are harmless.
  static func add(to database: Database) {
    database.add(function: emailKey)
    database.add(function: refuseSharedAddress)
  }

  /// `user_service_email_key(email, rule)`: the key of an address by rule 1 or 2; NULL for anything else.
  private static let emailKey = DatabaseFunction("user_service_email_key", argumentCount: 2, pure: true) {
    values in
    guard let email = String.fromDatabaseValue(values[0]) else { return nil }
    switch Int.fromDatabaseValue(values[1]) {
    case 1: return firstKey(email)
    case 2: return EmailAddress(trusted: email).uniquenessKey
    default: return nil
    }
  }

  /// Returns the key of an address by rule 1, which has no rule of its own for domains.
  private static func firstKey(_ email: String) -> String {
    if email.utf8.allSatisfy({ $0 < 0x80 }) { return email.lowercased() }
    return email.lowercased().uppercased().lowercased().precomposedStringWithCanonicalMapping
  }

  /// `user_service_refuse_shared_address(id, id, count)`: fails with an error that names two users and the number of
  /// pairs.
  private static let refuseSharedAddress = DatabaseFunction(
    "user_service_refuse_shared_address", argumentCount: 3
  ) { values in
    let ids = values.prefix(2).map { value in
      Data.fromDatabaseValue(value).flatMap { $0.withUnsafeBytes(UserID.init(bytes:)) }?.description
        ?? "unknown"
    }.sorted()
    let others = (Int.fromDatabaseValue(values[2]) ?? 1) - 1
    let more = others > 0 ? " (and \(others) more such pair\(others == 1 ? "" : "s"))" : ""
    throw DatabaseError(
      message: """
        the addresses of the users \(ids[0]) and \(ids[1])\(more) count as one by the rule of this \
        migration; change one of them with the version that served this database, then migrate again
        """)
  }
}
