import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import Synchronization
import UserDomain
import UserProtos

/// One ImportUsers call: rows in, batches to the store, a result for each row out.
///
/// A batch is what has arrived when the client pauses or the previous batch is stored. So the result of a single row does
/// not wait for others, and many rows share a transaction. While a batch is stored, the next one is read.
struct ImportUsers: StreamedCall {
  /// The maximum number of rows in a batch. Addresses and names come in no order, so that a transaction changes pages all
  /// over the database: the more rows, the fewer times each page is written.
  private static let batch = 16_384
  /// The maximum number of passwords that are hashed before results are returned: for about a second.
  private static let passwords = 64
  fileprivate enum Row: Sendable {
    case draft(ImportDraft, isOnlyChecked: Bool)
    case failure(GoogleRPCStatus)
  }

  private let directory: UserDirectory
  private let authorization: CallAuthorization
  private let memory: CallMemory
  private let whenStored: @Sendable () -> Void
  /// The rows that wait, and the memory that they take.
  private var rows: [Row] = []
  private var share: CallMemory.Share
  /// The index of the next batch's first row in the call.
  private var first: Int64 = 0
  /// The number of rows that wait with a password to be hashed.
  private var passwords = 0
  /// The batch that is being stored.
  private var running: RunningBatch?

  /// - Parameter whenStored: called when a batch is stored, on any thread.
  init(
    directory: UserDirectory, authorization: CallAuthorization, memory: CallMemory,
    whenStored: @escaping @Sendable () -> Void
  ) {
    self.whenStored = whenStored
    self.directory = directory
    self.authorization = authorization
    self.memory = memory
    share = memory.share()
  }

  var hasWaitingWork: Bool { running?.isStored ?? !rows.isEmpty }
  var isUnderWay: Bool { running != nil || !rows.isEmpty }

  mutating func receive(_ message: [UInt8]) throws -> StreamedCallStep {
    if rows.isEmpty { try authorization.checkStillValid() }
    let row = try row(message)
    rows.append(row)
    let hasRoom = share.hold(Self.size(of: row, message.count))
    if case .draft(let draft, _) = row, draft.password != nil { passwords += 1 }
    let isFull = rows.count == Self.batch || passwords == Self.passwords || !hasRoom
    return isFull || running?.isStored ?? false ? .work : .next
  }

  /// Estimates the bytes of a row that waits: the texts of its message and the places of its values, or the details of its
  /// failure.
  private static func size(of row: Row, _ count: Int) -> Int {
    switch row {
    case .draft: 512 + count
    case .failure: 2_048
    }
  }

  private func row(_ message: [UInt8]) throws -> Row {
    // A row that cannot be decoded fails alone; the reason is of no use to the client.
    guard let request = try? User_V1_ImportUserRequest(serializedBytes: message) else {
      return .failure(.undecodable())
    }
    do {
      return .draft(
        try directory.importDraft(try ImportRow(request)), isOnlyChecked: request.validateOnly)
    } catch {
      return .failure(try ImportBatch.status(of: error))
    }
  }

  /// Begins to store the rows that wait, once those before them are stored. Returns the results of the latter.
  mutating func work() async throws -> [[UInt8]] {
    let earlier = exchange(&running, with: nil)
    if !rows.isEmpty {
      let batch = ImportBatch(
        rows: exchange(&rows, with: []), first: first, directory: directory, authorization: authorization)
      first += Int64(batch.rows.count)
      passwords = 0
      running = RunningBatch(
        batch, holding: exchange(&share, with: memory.share()), after: earlier, whenStored: whenStored)
    }
    return try await earlier?.results ?? []
  }

  mutating func requestEnded() async throws -> [[UInt8]] {
    var results: [[UInt8]] = []
    while isUnderWay { results += try await work() }
    return results
  }
}

/// A batch that is being stored. It is cancelled when the call ends: what a transaction has not begun is not stored.
private final class RunningBatch: Sendable {
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
    making = Task { try await batch.results(of: try await storing.value) }
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
private struct ImportBatch: Sendable {
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
      results.append(try Self.message(first + Int64(number), try result(of: row, &outcomes)))
    }
    return results
  }

  private func result(
    of row: ImportUsers.Row, _ outcomes: inout IndexingIterator<[Outcome]>
  ) throws -> Result<UserImport?, GoogleRPCStatus> {
    do {
      switch row {
      case .failure(let status): return .failure(status)
      case .draft(let draft, true): return .success(try directory.check(draft))
      // There is an outcome for each draft.
      case .draft(_, false): return .success(try outcomes.next()?.get())
      }
    } catch {
      return .failure(try Self.status(of: error))
    }
  }

  /// - Throws: an error that is not the failure of one row.
  fileprivate static func status(of error: any Error) throws -> GoogleRPCStatus {
    switch error as? UserError {
    case .invalid, .emailAlreadyRegistered, .idTaken:
      guard let error = error as? UserError, let status = GoogleRPCStatus(error) else { throw error }
      return status
    default: throw error
    }
  }

  private static func message(
    _ index: Int64, _ result: Result<UserImport?, GoogleRPCStatus>
  ) throws -> [UInt8] {
    var message = User_V1_ImportUserResult()
    message.index = index
    switch result {
    case .success(nil): break
    case .success(let user?):
      message.alreadyStored = user.wasStored
      message.userID = user.id.description
    case .failure(let status):
      message.status = try Google_Rpc_Status(serializedBytes: status.serializedBytes() as [UInt8])
    }
    return try message.serializedBytes()
  }
}
