import Foundation
import GRDB
import UserDomain

/// The SQL functions that the migration of a user's life calls, with the meaning that they have there for ever.
enum LifecycleFunctions {
  /// Defines the functions on a connection. Repeated calls are harmless.
  static func add(to database: Database) {
    database.add(function: nameKey)
    database.add(function: place)
  }

  /// `user_service_name_key(name)`: `users.name_key`.
  private static let nameKey = DatabaseFunction("user_service_name_key", argumentCount: 1, pure: true) {
    values in
    String.fromDatabaseValue(values[0]).flatMap { UserRecord.nameKey(UserName(trusted: $0)) }
  }

  /// `user_service_place(id, created_at)`: `users.place`.
  private static let place = DatabaseFunction("user_service_place", argumentCount: 2, pure: true) { values in
    guard let id = Data.fromDatabaseValue(values[0])?.withUnsafeBytes(UserID.init(bytes:)),
      let createdAt = Int64.fromDatabaseValue(values[1])
    else { return nil }
    let place = UserPlace.other(than: id, createdAt: Timestamp(microsecondsSinceEpoch: createdAt))
    return place?.withUnsafeBytes { Data($0) }
  }
}
