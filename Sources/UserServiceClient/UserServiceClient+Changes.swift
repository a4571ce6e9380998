import AsyncAlgorithms
public import Foundation
import GRPCCore
import SwiftProtobuf
import UserProtos

extension UserServiceClient {
  /// Creates one active user. When the call returns, the user is on the service's disk.
  ///
  /// - Parameters:
  ///   - user: the user to create.
  ///   - requestID: the request id, which makes the call idempotent. A retry with the same id and user within 24 hours
  ///     returns the user that the first call created.
  /// - Throws: `UserServiceError.invalidUser`, `.emailAlreadyRegistered`, `.peerLimitExceeded`, and the errors of
  ///   every call.
  public func createUser(
    _ user: NewUser, requestID: UUID = UUID()
  ) async throws(UserServiceError) -> User {
    let request = User_V1_CreateUserRequest(user, requestID: requestID)
    return try await caller.call(.change(), tokens: tokens) { attempt in
      User(try await users.createUser(request, metadata: attempt.metadata, options: attempt.options))
    }
  }

  /// Changes one user, and returns it as stored.
  ///
  /// The call is retried if the update has an etag or is only checked. Without an etag, its effect is unknown after
  /// `unavailable` or `deadlineExceeded`; with one, it may have been stored if the call fails with `etagMismatch`.
  ///
  /// - Parameters:
  ///   - update: the changes.
  ///   - labels: the labels that replace all labels of the user; nil leaves them unchanged.
  ///   - validateOnly: whether the update is only checked. The user is then returned as it would be, and nothing is stored.
  /// - Throws: `UserServiceError.userNotFound`, `.etagMismatch`, `.invalidUser`, `.emailAlreadyRegistered`,
  ///   `.currentPasswordRequired`, `.wrongCurrentPassword`, and the errors of every call.
  public func updateUser(
    _ update: UserUpdate, labels: [String: String]? = nil, validateOnly: Bool = false
  ) async throws(UserServiceError) -> User {
    let request = User_V1_UpdateUserRequest(update, labels: labels, validateOnly: validateOnly)
    return try await caller.call(
      .change(userID: update.userID), tokens: tokens, isRepeatable: validateOnly || update.etag != nil
    ) { attempt in
      User(try await users.updateUser(request, metadata: attempt.metadata, options: attempt.options))
    }
  }

  /// Deletes one user, and returns it as deleted. Its tokens are revoked, and its sessions end. Until
  /// ``User/purgeAt``, it keeps its address and can be undeleted.
  ///
  /// The call is retried if it has an etag or is only checked. A retry after a lost response fails with `userNotFound`,
  /// unless `allowMissing` is set.
  ///
  /// - Parameters:
  ///   - id: the id of the user.
  ///   - etag: the ``User/etag`` that the user must have; nil: any.
  ///   - expunge: whether the user is erased at once, also if it is already deleted. Needs the scope `users:write`.
  ///   - allowMissing: whether the call succeeds if the user is already deleted, and returns it as it is.
  ///   - currentPassword: the current password, required without the scope `users:write`.
  ///   - validateOnly: whether the deletion is only checked. The user is then returned as it is.
  /// - Throws: `UserServiceError.userNotFound`, `.etagMismatch`, `.permissionDenied`, `.currentPasswordRequired`,
  ///   `.wrongCurrentPassword`, `.tooManyAttempts`, `.signInDisabled`, and the errors of every call.
  @discardableResult
  public func deleteUser(
    id: String, etag: String? = nil, expunge: Bool = false, allowMissing: Bool = false,
    currentPassword: String? = nil, validateOnly: Bool = false
  ) async throws(UserServiceError) -> User {
    let request = User_V1_DeleteUserRequest.with {
      ($0.userID, $0.etag, $0.validateOnly) = (id, etag ?? "", validateOnly)
      ($0.expunge, $0.allowMissing) = (expunge, allowMissing)
      if let currentPassword { $0.currentPassword = currentPassword }
    }
    return try await caller.call(
      .change(userID: id), tokens: tokens, isRepeatable: validateOnly || etag != nil
    ) { attempt in
      User(try await users.deleteUser(request, metadata: attempt.metadata, options: attempt.options))
    }
  }

  /// Makes a deleted user one that is not, and returns it. Its status is what it was, and it has to sign in again. Needs
  /// the scope `users:write`.
  ///
  /// The call is retried if it has an etag or is only checked. A retry after a lost response fails with `userNotDeleted`.
  ///
  /// - Parameters:
  ///   - id: the id of the user.
  ///   - etag: the ``User/etag`` that the user must have; nil: any.
  ///   - validateOnly: whether it is only checked that the user can be undeleted. It is then returned as it is.
  /// - Throws: `UserServiceError.userNotFound`, `.userNotDeleted`, `.etagMismatch`, and the errors of every call.
  @discardableResult
  public func undeleteUser(
    id: String, etag: String? = nil, validateOnly: Bool = false
  ) async throws(UserServiceError) -> User {
    let request = User_V1_UndeleteUserRequest.with {
      ($0.userID, $0.etag, $0.validateOnly) = (id, etag ?? "", validateOnly)
    }
    return try await caller.call(
      .change(userID: id), tokens: tokens, isRepeatable: validateOnly || etag != nil
    ) { attempt in
      User(try await users.undeleteUser(request, metadata: attempt.metadata, options: attempt.options))
    }
  }

  /// Applies updates one after another as they arrive, and returns each user as stored, in order. Iterate over the
  /// result once.
  ///
  /// The call is not retried. After an error, the updates before the index of `UserServiceError.updateFailed` are
  /// done; the effect of updates after the last returned user is unknown.
  public func userUpdates<Updates: AsyncSequence & Sendable>(_ updates: Updates) -> UserStream
  where Updates.Element == UserUpdate, Updates.Failure == Never {
    let tokens = tokens
    return UserStream(calls: calls) { [caller, users] pages async throws(UserServiceError) in
      let unanswered = UnansweredUpdates()
      try await caller.stream(.change(), tokens: tokens, isRepeatable: false) { attempt, idle in
        try await users.userUpdates(metadata: attempt.metadata, options: attempt.options) { writer in
          // The connection exists, and no response is due yet.
          try idle.pause()
          for await update in updates {
            unanswered.sent(idle)
            try await writer.write(User_V1_UserUpdateRequest(update))
          }
        } onResponse: { response in
          do {
            for try await message in response.messages {
              try unanswered.received(idle)
              await pages.send([User(message)])
              unanswered.taken(idle)
              try Task.checkCancellation()
            }
          } catch let error as RPCError {
            guard let index = error.updateIndex else { throw error }
            throw UserServiceError.updateFailed(index: index, UserServiceError(error, .change()))
          }
        }
      }
    }
  }
}
