import GRPCCore
import SwiftProtobuf
import Synchronization
import UserProtos

extension UserServiceClient {
  /// Stores users as another system had them, and calls `onResults` with the outcomes, in order, as they arrive. Needs the
  /// scope `users:import`.
  ///
  /// A user that is invalid, or whose id or address is taken, fails alone. Any number of users may be imported: at most
  /// 32,768 of them, and 16 MiB of their texts, wait for outcomes at a time. `users` and `onResults` are called in turn,
  /// in the caller's task.
  ///
  /// If the connection is lost or the service restarts, the users without an outcome are sent again. Those that had been
  /// stored are then reported as ``ImportOutcome/alreadyStored(id:)``.
  ///
  /// - Parameters:
  ///   - users: the users to import. After an error of it, the outcomes of the users before are still reported.
  ///   - validateOnly: whether users are only checked, and nothing is stored.
  ///   - onResults: receives the outcomes; each user has exactly one.
  /// - Throws: `UserServiceError`, and the errors of `users` and `onResults`. Users reported as stored stay stored.
  public func importUsers<Users: AsyncSequence>(
    _ users: Users, validateOnly: Bool = false, onResults: (ImportBatch) async throws -> Void
  ) async throws where Users.Element == ImportedUser {
    let window = ImportWindow()
    var index = 0
    func deliver() async throws {
      let outcomes = window.takeOutcomes()
      if outcomes.isEmpty { return }
      try await onResults(ImportBatch(firstIndex: index, outcomes: outcomes))
      index += outcomes.count
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { [self] in
        defer { window.close() }
        try await send(window, validateOnly: validateOnly)
      }
      defer { group.cancelAll() }
      var rows = users.makeAsyncIterator()
      var failure: (any Error)?
      while true {
        let user: ImportedUser?
        do { user = try await rows.next(isolation: #isolation) } catch { (user, failure) = (nil, error) }
        guard let user else { break }
        var position = window.append(user)
        if position.hasOutcomes { try await deliver() }
        while position.isFull, !position.isClosed {
          position = await window.wait()
          try await deliver()
          if Task.isCancelled { throw UserServiceError.cancelled }
        }
        if position.isClosed { break }
      }
      window.complete()
      while true {
        let position = await window.wait()
        try await deliver()
        if Task.isCancelled { throw UserServiceError.cancelled }
        if position.isClosed { break }
      }
      try await group.waitForAll()
      if let failure { throw failure }
    }
  }

  /// Streams every user, deleted ones included, as ``importUsers(_:validateOnly:onResults:)`` takes it, in the order of
  /// their creation. An interrupted export continues after the last page. Needs the scope `users:export`.
  ///
  /// - Parameters:
  ///   - passwordHashes: whether users have their ``ImportedUser/passwordHash``, which needs the scope
  ///     `users:export-hashes`, too.
  ///   - pageToken: the ``ImportedUser/pageToken`` of an earlier export, which continues after that user; nil for all
  ///     users.
  public func exportUsers(
    passwordHashes: Bool = false, from pageToken: String? = nil
  ) -> ResponseStream<ImportedUser> {
    let tokens = tokens
    return ResponseStream(calls: calls) { [caller, users] pages async throws(UserServiceError) in
      let position = PagePosition(pages, from: pageToken ?? "")
      try await caller.stream(tokens: tokens) { attempt, idle in
        let request = User_V1_ExportUsersRequest.with {
          $0.passwordHashes = passwordHashes
          $0.pageToken = position.token
        }
        try await users.exportUsers(request, metadata: attempt.metadata, options: attempt.options) {
          response in
          try await position.receive(response.messages, attempt, idle) { (ImportedUser($0), $0.pageToken) }
        }
      }
    }
  }

  /// Makes the call that sends the rows of `window`, as often as its connection is lost.
  private func send(_ window: ImportWindow, validateOnly: Bool) async throws(UserServiceError) {
    try await caller.stream(.change(), tokens: tokens) { attempt, idle in
      window.rewind()
      try await users.importUsers(metadata: attempt.metadata, options: attempt.options) { writer in
        // The connection exists, and no result is due yet.
        try idle.pause()
        while let rows = try await window.nextRows(idle) {
          try await writer.write(
            contentsOf: rows.map { User_V1_ImportUserRequest($0, validateOnly: validateOnly) })
        }
      } onResponse: { response in
        for try await result in response.messages {
          try window.answer(result, idle)
          attempt.progress.note()
        }
        try window.checkAnswered()
      }
    }
  }
}
