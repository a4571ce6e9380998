import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import UserDomain
import UserProtos

/// One ImportUsers call: rows in, batches to the store, a result for each row out.
///
/// A batch is what has arrived when the client pauses or the previous batch is stored. So the result of a single row does
/// not wait for others, and many rows share a transaction.
struct ImportUsers: StreamedCall {
  /// The maximum number of rows in a transaction.
  private static let batch = 1_000
  /// The number of rows that are checked, and results made, before other work of the thread gets its turn.
  private static let checksPerTurn = 100
  /// The number of passwords of one call that are hashed at once.
  private static let concurrentHashes = 4

  private enum Row {
    case draft(ImportDraft, isOnlyChecked: Bool)
    case failure(GoogleRPCStatus)
  }

  private let directory: UserDirectory
  private let authorization: CallAuthorization
  private let memory: CallMemory.Share
  private var rows: [Row] = []
  /// The index of the first of `rows` in the call.
  private var first: Int64 = 0

  init(directory: UserDirectory, authorization: CallAuthorization, memory: CallMemory) {
    self.directory = directory
    self.authorization = authorization
    self.memory = memory.share()
  }

  private var hashRequester: HashRequester { authorization.caller.hashRequester.inBackground }

  var hasWaitingWork: Bool { !rows.isEmpty }

  mutating func receive(_ message: [UInt8]) throws -> StreamedCallStep {
    if rows.isEmpty { try authorization.checkStillValid() }
    let row = try row(message)
    rows.append(row)
    let hasRoom = memory.hold(Self.size(of: row, message.count))
    return rows.count == Self.batch || !hasRoom ? .work : .next
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
      return .failure(try Self.status(of: error))
    }
  }

  mutating func work() async throws -> [[UInt8]] {
    let batch = exchange(&rows, with: [])
    defer { memory.release() }
    let drafts = batch.compactMap { if case .draft(let draft, false) = $0 { draft } else { nil } }
    var outcomes = try await store(drafts).makeIterator()
    var results: [[UInt8]] = []
    results.reserveCapacity(batch.count)
    for (number, row) in batch.enumerated() {
      if number > 0, number % Self.checksPerTurn == 0 { await Task.yield() }
      let result: Result<UserImport?, GoogleRPCStatus>
      switch row {
      case .failure(let status): result = .failure(status)
      case .draft(let draft, true): result = try check(draft)
      // There is an outcome for each draft.
      case .draft(_, false): result = outcomes.next() ?? .success(nil)
      }
      results.append(try Self.message(first, result))
      first += 1
    }
    return results
  }

  mutating func requestEnded() async throws -> [[UInt8]] { rows.isEmpty ? [] : try await work() }

  /// Stores users. Returns an outcome for each.
  private func store(_ drafts: [ImportDraft]) async throws -> [Result<UserImport?, GoogleRPCStatus>] {
    if drafts.isEmpty { return [] }
    let users = try await hashed(drafts)
    let outcomes = try await BulkWork.retrying { () async throws(UserError) in
      try authorization.checkStillValid()
      return try await directory.repository.importUsers(users, by: authorization.authority)
    }
    return try outcomes.map { outcome in
      switch outcome {
      case .success(let user): .success(user)
      case .failure(let error): .failure(try Self.status(of: error))
      }
    }
  }

  private func hashed(_ drafts: [ImportDraft]) async throws -> [ForeignUser] {
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

  /// Checks a row that is not to be stored. Its outcome has an id only if it was stored before.
  private func check(_ draft: ImportDraft) throws -> Result<UserImport?, GoogleRPCStatus> {
    do throws(UserError) {
      return .success(try directory.check(draft))
    } catch {
      return .failure(try Self.status(of: error))
    }
  }

  /// - Throws: an error that is not the failure of one row.
  private static func status(of error: any Error) throws -> GoogleRPCStatus {
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
