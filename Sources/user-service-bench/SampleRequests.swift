import Foundation
import SwiftProtobuf
import UserDomain
import UserProtos
import UserStoreSQLite

/// Requests for the users of a benchmark's database.
enum SampleRequests {
  /// Returns a request for a user in the middle of a database of `users` users.
  static func get(_ database: String, users: Int) async throws -> [UInt8] {
    let repository = try SQLiteUserRepository(.file(database))
    var listing = try await UserListing(repository: repository, after: nil, pageSize: 1_000)
    var id: UserID?
    while let page = try await listing.nextPage(), id == nil || Int.random(in: 0..<users / 500 + 1) > 0 {
      id = page.last?.id
    }
    try await repository.close()
    guard let id else { throw RawDatabase.Failure(description: "no users") }
    return try User_V1_GetUserRequest.with { $0.userID = "\(id)" }.framed()
  }

  /// Returns requests for users all over a database of `users` users that ``RawDatabase/load(_:into:)`` has filled.
  static func scattered(users: Int) throws -> [[UInt8]] {
    try (0..<10_000).map { _ in
      try User_V1_GetUserRequest.with { $0.userID = "\(RawDatabase.id(.random(in: 0..<users)))" }.framed()
    }
  }

  /// The request for a listing.
  static let list = User_V1_ListUsersRequest.with { $0.pageSize = 1_000 }

  /// Returns the request that creates the n-th user.
  static func create(_ number: Int) -> User_V1_CreateUserRequest {
    let user = SampleUser(number)
    return .with { ($0.email, $0.name) = (user.email, user.name) }
  }
}
