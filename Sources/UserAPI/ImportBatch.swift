import GRPCProtobuf
import SwiftProtobuf
import Synchronization
import UserDomain
import UserProtos

/// A batch that is being stored. It is cancelled when the call ends: what a transaction has not begun is not stored.
final class RunningBatch: Sendable {
  /// Ends when the rows are durable: then those of the next batch may follow, while the results of these are made.
  private let storing: Task<[ImportBatch.Outcome], any Error>
  private let making: Task<[[UInt8]], any Error>
  private let progress = Progress()
  /// Held until the results are taken: a client that reads none does not make it grow.
  private let memory: CallMemory.Share

  private final class Progress: Sendable {
    let isStored = Atomic(false)
  }

  /// Stores `batch` after the rows of `earlier`, and calls `whenStored` when that is done or has failed.
  init(
    _ batch: ImportBatch, holding memory: CallMemory.Share, after earlier: RunningBatch?,
    whenStored: @escaping @Sendable () -> Void
  ) {
    let before = earlier?.storing
    let storing = Task { [progress] in
      defer {
        progress.isStored.store(true, ordering: .releasing)
        whenStored()
      }
      let users = try await batch.users()
      _ = try await before?.value
      return try await batch.store(users)
    }
    self.storing = storing
    making = Task {
      let results = try await batch.results(of: try await storing.value)
      // The rows are not needed any more.
      memory.shrink(to: results.reduce(0) { $0 + 64 + $1.count })
      return results
    }
    self.memory = memory
  }

  deinit {
    storing.cancel()
    making.cancel()
  }

  /// Whether its rows are durable, or cannot be stored.
  var isStored: Bool { progress.isStored.load(ordering: .acquiring) }

  /// The results of its rows.
  var results: [[UInt8]] {
    get async throws {
      try await withTaskCancellationHandler {
        try await making.value
      } onCancel: {
        storing.cancel()
        making.cancel()
      }
    }
  }
}

/// Rows of an import that are stored together.
struct ImportBatch: Sendable {
  /// The number of rows that are checked, and results made, before other work of the thread gets its turn.
  private static let checksPerTurn = 100
  /// The number of passwords of one call that are hashed at once.
  private static let concurrentHashes = 4

  let rows: [ImportUsers.Row]
  /// The index of the first row in the call.
  let first: Int64
  let directory: UserDirectory
  let authorization: CallAuthorization

  private var hashRequester: HashRequester { authorization.caller.hashRequester.inBackground }

  typealias Outcome = Result<UserImport, UserError>

  /// Returns the users of the rows that are to be stored, their passwords hashed.
  func users() async throws -> [ForeignUser] {
    let drafts = rows.compactMap { if case .draft(let draft, false) = $0 { draft } else { nil } }
    var users = drafts.map(\.user)
    let costly = drafts.indices.filter { drafts[$0].password != nil }
    let hashed = try await BulkWork.map(
      costly.map { drafts[$0] }, atOnce: Self.concurrentHashes
    ) { [directory, authorization, hashRequester] draft in
      // Hashing a batch takes seconds, in which the token can expire.
      try authorization.checkStillValid()
      return try await BulkWork.retrying { () async throws(UserError) in
        try await directory.prepare(draft, for: hashRequester)
      }
    }
    for (index, user) in zip(costly, hashed) { users[index] = user }
    return users
  }

  /// Stores users. Returns an outcome for each.
  func store(_ users: [ForeignUser]) async throws -> [Outcome] {
    var outcomes: [Outcome] = []
    outcomes.reserveCapacity(users.count)
    while outcomes.count < users.count {
      let rest = users[outcomes.count...]
      outcomes += try await BulkWork.retrying { () async throws(UserError) in
        try authorization.checkStillValid()
        return try await directory.repository.importUsers(rest, by: authorization.authority)
      }
    }
    return outcomes
  }

  /// Returns a serialized result for each row. `outcomes` are those of the users that were stored.
  func results(of outcomes: [Outcome]) async throws -> [[UInt8]] {
    var outcomes = outcomes.makeIterator()
    var results: [[UInt8]] = []
    results.reserveCapacity(rows.count)
    for (number, row) in rows.enumerated() {
      if number > 0, number % Self.checksPerTurn == 0 { await Task.yield() }
      results.append(try Self.message(first + Int64(number), try await result(of: row, &outcomes)))
    }
    return results
  }

  private func result(
    of row: ImportUsers.Row, _ outcomes: inout IndexingIterator<[Outcome]>
  ) async throws -> Result<UserImport?, RowFailure> {
    do {
      switch row {
      case .failure(let failure): return .failure(failure)
      case .draft(let draft, true): return .success(try await directory.check(draft))
      // There is an outcome for each draft.
      case .draft(_, false): return .success(try outcomes.next()?.get())
      }
    } catch {
      return .failure(try RowFailure(of: error))
    }
  }

  private static func message(
    _ index: Int64, _ result: Result<UserImport?, RowFailure>
  ) throws -> [UInt8] {
    var message = User_V1_ImportUserResult()
    message.index = index
    switch result {
    case .success(nil): break
    case .success(let user?):
      message.alreadyStored = user.wasStored
      message.userID = user.id.description
    case .failure(let failure): message.status = try Google_Rpc_Status(serializedBytes: failure.status)
    }
    return try message.serializedBytes()
  }
}

/// The failure of one row of an import.
struct RowFailure: Error {
  /// A serialized google.rpc.Status, which takes less memory than its parts.
  let status: [UInt8]

  init(_ status: GoogleRPCStatus) throws { self.status = try status.serializedBytes() }

  /// - Throws: an error that is not the failure of one row.
  init(of error: any Error) throws {
    switch error as? UserError {
    case .invalid, .emailAlreadyRegistered, .idTaken:
      guard let error = error as? UserError, let status = GoogleRPCStatus(error) else { throw error }
      try self.init(status)
    default: throw error
    }
  }
}
