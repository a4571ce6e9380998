import GRPCCore
import SwiftProtobuf
import UserProtos

extension UserServiceClient {
  /// The most ids of one call of BatchGetUsers.
  private static let batchIDs = 1_000

  /// Returns the user with this id.
  ///
  /// - Parameter showDeleted: whether a deleted user is returned, too.
  /// - Throws: `UserServiceError.userNotFound`, and the errors of every call.
  public func getUser(id: String, showDeleted: Bool = false) async throws(UserServiceError) -> User {
    let request = User_V1_GetUserRequest.with { ($0.userID, $0.showDeleted) = (id, showDeleted) }
    return try await caller.call(.user(id: id), tokens: tokens) { attempt in
      User(try await users.getUser(request, metadata: attempt.metadata, options: attempt.options))
    }
  }

  /// Returns the user with this address, regardless of letter case.
  ///
  /// - Parameter showDeleted: whether a deleted user is returned, too.
  /// - Throws: `UserServiceError.userNotFound`, which then has the address instead of an id, and the errors of every
  ///   call.
  public func getUser(email: String, showDeleted: Bool = false) async throws(UserServiceError) -> User {
    let request = User_V1_GetUserByEmailRequest.with { ($0.email, $0.showDeleted) = (email, showDeleted) }
    return try await caller.call(.user(id: email), tokens: tokens) { attempt in
      User(try await users.getUserByEmail(request, metadata: attempt.metadata, options: attempt.options))
    }
  }

  /// Returns the users with these ids, in the same order, by as many calls as needed: one for each 1,000 ids. An id may
  /// come more than once. Needs the scope `users:read`.
  ///
  /// Each user is read by itself: a change that happens meanwhile may be seen in some users and not in others.
  ///
  /// - Parameter showDeleted: whether deleted users are returned, too.
  /// - Throws: `UserServiceError.usersNotFound` if any is missing, and the errors of every call.
  public func users(
    ids: some Sequence<String>, showDeleted: Bool = false
  ) async throws(UserServiceError) -> [User] {
    var rest = Array(ids)[...]
    var found: [User] = []
    found.reserveCapacity(rest.count)
    while !rest.isEmpty {
      let part = rest.prefix(Self.batchIDs)
      rest = rest.dropFirst(part.count)
      let request = User_V1_BatchGetUsersRequest.with {
        ($0.userIds, $0.showDeleted) = (Array(part), showDeleted)
      }
      found += try await caller.call(tokens: tokens) { attempt in
        try await users.batchGetUsers(request, metadata: attempt.metadata, options: attempt.options).users
          .map { User($0) }
      }
    }
    return found
  }

  /// Returns every user that exists when the call begins, or those that match a filter. An interrupted listing continues
  /// after the last page. Each user is returned once; users created meanwhile may follow.
  ///
  /// Users come in the order of their creation. With some filters they come in the order of an index instead, as the
  /// contract describes (`ListUsers` in `user_service.proto`).
  ///
  /// - Parameters:
  ///   - pageSize: the number of users that are read at a time: 1 to 1,000.
  ///   - filter: comparisons joined by `AND`, such as `status = INACTIVE AND labels.tenant = "a"`, as the contract
  ///     describes (`ListUsersRequest.filter`); empty for all users.
  ///   - showDeleted: whether deleted users are returned, too.
  public func listUsers(pageSize: Int = 100, filter: String = "", showDeleted: Bool = false) -> UserStream {
    let tokens = tokens
    return UserStream(calls: calls) { [caller, users] pages async throws(UserServiceError) in
      let position = PagePosition(pages)
      try await caller.stream(tokens: tokens) { attempt, idle in
        let request = User_V1_ListUsersRequest.with {
          $0.pageSize = Int32(clamping: pageSize)
          $0.pageToken = position.token
          ($0.filter, $0.showDeleted) = (filter, showDeleted)
        }
        try await users.listUsers(request, metadata: attempt.metadata, options: attempt.options) { response in
          try await position.receive(response.messages, attempt, idle) { (User($0), $0.pageToken) }
        }
      }
    }
  }
}
