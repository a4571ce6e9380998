import AsyncAlgorithms
import Foundation
import GRPCCore
import SwiftProtobuf
import UserProtos

extension UserServiceClient {
  /// The most passwords of one call. Each costs the service about 20 ms, and the response comes after the last.
  private static let batchPasswords = 250

  /// Creates any number of users, in as many calls as needed, and calls `onBatch` with the outcomes of each part.
  ///
  /// Valid users are stored even if others are invalid. If the connection is lost or the service restarts, the
  /// current part is sent again without creating a user twice.
  ///
  /// - Throws: `UserServiceError`, and the errors of `users` and `onBatch`. Parts reported to `onBatch` stay stored.
  public func bulkCreateUsers<Users: AsyncSequence>(
    _ users: Users, onBatch: (BulkBatch) async throws -> Void
  ) async throws where Users.Element == NewUser {
    var requests: [User_V1_CreateUserRequest] = []
    var passwords = 0
    var index = 0
    var limit = configuration.bulkBatch
    for try await user in users {
      requests.append(User_V1_CreateUserRequest(user, requestID: UUID()))
      if user.password != nil { passwords += 1 }
      if requests.count < limit, passwords < Self.batchPasswords { continue }
      try await send(requests, at: index, limit: &limit, onBatch)
      index += requests.count
      (requests, passwords) = ([], 0)
    }
    try await send(requests, at: index, limit: &limit, onBatch)
  }

  /// Creates any number of users. The result grows with their number; for millions use
  /// ``bulkCreateUsers(_:onBatch:)``.
  ///
  /// - Throws: `UserServiceError`, and the errors of `users`. Users of earlier parts stay stored.
  public func bulkCreateUsers<Users: AsyncSequence>(
    _ users: Users
  ) async throws -> BulkCreateResult where Users.Element == NewUser {
    var result = BulkCreateResult()
    try await bulkCreateUsers(users) { batch in
      for (offset, outcome) in batch.outcomes.enumerated() {
        switch outcome {
        case .success(let id): result.userIDs.append(id)
        case .failure(let error):
          result.failures.append(.init(index: batch.firstIndex + offset, error: error))
        }
      }
    }
    return result
  }

  /// Creates any number of users.
  ///
  /// - Throws: `UserServiceError`. Users of earlier parts stay stored.
  public func bulkCreateUsers(_ users: some Sequence<NewUser>) async throws -> BulkCreateResult {
    try await bulkCreateUsers(users.async)
  }

  /// Creates users in one call, which is idempotent. Returns for each user, in order, its id or the error because of
  /// which it was not created.
  func createUsers(
    _ requests: ArraySlice<User_V1_CreateUserRequest>
  ) async throws(UserServiceError) -> [Result<String, UserServiceError>] {
    // A row that exceeds the message limit would fail the whole call.
    let sent = requests.filter { $0.problem == nil }
    let response = try await caller.stream(tokens: tokens) { attempt, idle in
      try await users.bulkCreateUsers(metadata: attempt.metadata, options: attempt.options) { writer in
        for request in sent {
          try await writer.write(request)
          idle.restart()
        }
      }
    }
    let outcomes = response.outcomes(of: sent.count)
    guard outcomes.count == sent.count else {
      throw .failed(
        status: "internalError",
        message: "the service reported \(outcomes.count) of \(sent.count) users",
        errorID: nil)
    }
    var told = outcomes.makeIterator()
    return requests.compactMap { request in request.problem.map { .failure($0) } ?? told.next() }
  }

  /// Sends requests in smaller parts if the service accepts fewer rows a call. The requests keep their ids, so that
  /// stored users are not created again.
  private func send(
    _ requests: [User_V1_CreateUserRequest], at first: Int, limit: inout Int,
    _ onBatch: (BulkBatch) async throws -> Void
  ) async throws {
    var rest = requests[...]
    while !rest.isEmpty {
      let part = rest.prefix(limit)
      let outcomes: [Result<String, UserServiceError>]
      do throws(UserServiceError) {
        outcomes = try await createUsers(part)
      } catch {
        guard case .tooManyRows = error, part.count > 1 else { throw error }
        limit = part.count / 2
        continue
      }
      try await onBatch(BulkBatch(firstIndex: first + rest.startIndex, outcomes: outcomes))
      rest = rest.dropFirst(part.count)
    }
  }
}

extension User_V1_CreateUserRequest {
  /// The bytes of text that fit in the service's largest request message, 8 KiB. Every valid user has fewer.
  private static let largestText = 8_000

  /// The error of a user that is too large to be sent; nil for all others.
  fileprivate var problem: UserServiceError? {
    let texts = [
      ("email", email.utf8.count, 254), ("name", name.utf8.count, 1_024),
      ("password", password.utf8.count, 1_024),
      // 16 labels of 63 bytes and 128 bytes.
      ("labels", labels.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }, 3_056),
    ]
    guard texts.reduce(0, { $0 + $1.1 }) > Self.largestText else { return nil }
    return .invalidUser(
      fields: texts.filter { $0.1 > $0.2 }.map { name, _, limit in
        .init(name: name, reason: "TOO_LONG", description: "must have at most \(limit) bytes")
      })
  }
}

extension User_V1_BulkCreateResponse {
  /// Returns the outcome of each of `count` rows.
  fileprivate func outcomes(of count: Int) -> [Result<String, UserServiceError>] {
    var outcomes: [Result<String, UserServiceError>] = []
    outcomes.reserveCapacity(count)
    var ids = userIds.makeIterator()
    var failures = failures.makeIterator()
    var failure = failures.next()
    for index in 0..<count {
      if let current = failure, current.index == Int32(index) {
        outcomes.append(.failure(UserServiceError(current.status)))
        failure = failures.next()
      } else if let id = ids.next() {
        outcomes.append(.success(id))
      }
    }
    return outcomes
  }
}
