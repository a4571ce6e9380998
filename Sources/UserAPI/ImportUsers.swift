import GRPCProtobuf
import SwiftProtobuf
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
  /// The maximum number of passwords that are hashed before results are returned. Others may be hashed meanwhile, and the
  /// client waits only so long.
  private static let passwords = 8

  /// A row of the request.
  enum Row: Sendable {
    /// A valid row.
    case draft(ImportDraft, isOnlyChecked: Bool)
    /// A row that fails.
    case failure(RowFailure)
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
    if case .draft(let draft, false) = row, draft.password != nil { passwords += 1 }
    let isFull = rows.count == Self.batch || passwords == Self.passwords || !hasRoom
    return isFull || running?.isStored ?? false ? .work : .next
  }

  /// Estimates the bytes of a row that waits: the texts of its message and the places of its values, or its failure.
  private static func size(of row: Row, _ count: Int) -> Int {
    switch row {
    case .draft: 512 + count
    case .failure(let failure): 128 + failure.status.count
    }
  }

  private func row(_ message: [UInt8]) throws -> Row {
    // A row that cannot be decoded fails alone; the reason is of no use to the client.
    guard let request = try? User_V1_ImportUserRequest(serializedBytes: message) else {
      return .failure(try RowFailure(.undecodable()))
    }
    do {
      return .draft(
        try directory.importDraft(ImportRow(request)), isOnlyChecked: request.validateOnly)
    } catch {
      return .failure(try RowFailure(of: error))
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
