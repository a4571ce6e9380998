import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import UserDomain
import UserProtos

/// How much one BulkCreateUsers call may do.
public struct BulkLimits: Hashable, Sendable {
  /// The bounds of ``rows``: at the upper one the response's ids still fit in gRPC's default message size.
  public static let rowBounds = 1...100_000

  /// Rows that one call may have, 100,000 by default.
  public let rows: Int
  /// Rows in one transaction.
  let batch: Int
  /// Passwords of one call that are hashed at the same time.
  let concurrentHashes: Int

  /// Limits; `rows` is brought inside ``rowBounds``.
  public init(rows: Int = rowBounds.upperBound, batch: Int = 1_000, concurrentHashes: Int = 4) {
    self.rows = min(max(rows, Self.rowBounds.lowerBound), Self.rowBounds.upperBound)
    self.batch = max(batch, 1)
    self.concurrentHashes = max(concurrentHashes, 1)
  }
}

/// One BulkCreateUsers call: rows in, batches to the store, the response out.
///
/// What it holds is bounded: one batch of rows, and a response under gRPC's default message size of 4 MiB.
struct BulkCreate {
  /// A row that waits for its batch: valid, or why it is not.
  private typealias Row = Result<UserDraft, GoogleRPCStatus>

  private let directory: UserDirectory
  private let limits: BulkLimits
  private let caller: CallAuthorization
  private var batch: [Row] = []
  /// What the batch may take of the memory that all bulk calls share.
  private let share: BatchMemory.Share
  private var rows = 0
  private var response = User_V1_BulkCreateResponse()
  /// Failures that have their details, from the first, and what these take.
  private var detailed: (count: Int, bytes: Int) = (0, 0)

  /// A call of `caller`, whose batches share `memory` with other calls. Nothing is stored once its token is invalid.
  init(
    directory: UserDirectory, limits: BulkLimits, caller: CallAuthorization,
    memory: BatchMemory = BatchMemory()
  ) {
    self.directory = directory
    share = memory.share()
    self.limits = limits
    self.caller = caller
  }

  /// Room for the largest response: 4 MiB less the two counts.
  private static let responseSize = (4 << 20) - 64
  /// An id takes 38 bytes in the response, a failure without its details fewer.
  private static let bytesPerRow = 38

  /// Users that are stored.
  var createdCount: Int { response.userIds.count }

  private var hashRequester: HashRequester { caller.hashRequester.inBackground }

  /// Takes one more row, and stores a batch when it is full, or when there is no memory for more of it.
  ///
  /// - Throws: `GoogleRPCStatus` when there are too many rows, once those before are stored; `UserError` when
  ///   the store fails as a whole, and `.unauthenticated` when the caller's token has become invalid.
  mutating func add(_ request: DecodedRow) async throws {
    if batch.isEmpty { try caller.checkStillGood() }
    if rows == limits.rows {
      try await flush()
      throw GoogleRPCStatus.tooManyRows(limit: limits.rows, stored: createdCount)
    }
    rows += 1
    batch.append(try row(request))
    let hasRoom = share.hold(Self.size(of: request))
    if batch.count == limits.batch || !hasRoom { try await flush() }
  }

  /// Bytes that a row takes while it waits, about.
  private static func size(of request: DecodedRow) -> Int {
    guard case .success(let row) = request else { return 1_024 }
    return 128 + row.email.utf8.count + row.name.utf8.count + row.password.utf8.count
      + row.requestID.utf8.count
  }

  private func row(_ request: DecodedRow) throws -> Row {
    guard case .success(let row) = request else { return .failure(.undecodable()) }
    do {
      return .success(
        try UserDraft(
          email: row.email, name: row.name, password: row.password, requestID: row.requestID,
          policy: directory.passwordPolicy))
    } catch {
      return .failure(try Self.status(of: error))
    }
  }

  /// - Throws: an error that has no status of its own, and so is no row's failure.
  private static func status(of error: UserError) throws -> GoogleRPCStatus {
    guard let status = GoogleRPCStatus(error) else { throw error }
    return status
  }

  /// Stores what is left and returns the response.
  mutating func finish() async throws -> User_V1_BulkCreateResponse {
    try await flush()
    response.createdCount = Int32(createdCount)
    return response
  }

  private mutating func flush() async throws {
    try makeRoom()
    let first = rows - batch.count
    let outcomes = try await store(batch)
    batch.removeAll(keepingCapacity: true)
    share.release()
    for (offset, outcome) in outcomes.enumerated() {
      switch outcome {
      case .success(let user): response.userIds.append(user.id.description)
      case .failure(let status): try note(status, index: first + offset)
      }
    }
  }

  private func store(_ rows: [Row]) async throws -> [Result<User, GoogleRPCStatus>] {
    let prepared = try await hash(rows)
    // Rows that are wrong have their status already; only the others go to the store.
    var outcomes = try await retrying { () async throws(UserError) in
      // Nothing waits for the database on a token that is known to be invalid.
      try caller.checkStillGood()
      return try await directory.repository.create(
        prepared.compactMap { try? $0.get() }, by: caller.authority)
    }.makeIterator()
    var users: [Result<User, GoogleRPCStatus>] = []
    users.reserveCapacity(rows.count)
    for (row, prepared) in zip(rows, prepared) {
      switch prepared {
      case .success:
        // The store answers for each row that it was given.
        users.append(try await user(outcomes.next() ?? .failure(.cancelled), of: row))
      case .failure(let status):
        users.append(.failure(status))
      }
    }
    return users
  }

  private func user(
    _ outcome: Result<Creation, UserError>, of row: Row
  ) async throws -> Result<User, GoogleRPCStatus> {
    do throws(UserError) {
      let creation = try outcome.get()
      guard creation.earlier != nil, case .success(let draft) = row else { return .success(creation.user) }
      return .success(
        try await retrying { () async throws(UserError) in
          try await directory.confirm(creation, of: draft, for: hashRequester)
        })
    } catch {
      return .failure(try Self.status(of: error))
    }
  }

  /// Hashes the passwords of a batch, a few at a time, and keeps the order of its rows.
  private func hash(_ rows: [Row]) async throws -> [Result<CreateRequest, GoogleRPCStatus>] {
    var prepared: [Result<CreateRequest, GoogleRPCStatus>] = []
    prepared.reserveCapacity(rows.count)
    var costly: [(Int, UserDraft)] = []
    for row in rows {
      switch row {
      case .failure(let status): prepared.append(.failure(status))
      case .success(let draft):
        if draft.password != nil { costly.append((prepared.count, draft)) }
        prepared.append(
          .success(CreateRequest(NewUser(email: draft.email, name: draft.name), id: draft.requestID)))
      }
    }
    try await withThrowingTaskGroup(of: (Int, CreateRequest).self) { group in
      for (count, (index, draft)) in costly.enumerated() {
        if count >= limits.concurrentHashes, let (index, request) = try await group.next() {
          prepared[index] = .success(request)
        }
        group.addTask {
          // A batch of passwords takes seconds.
          try caller.checkStillGood()
          let user = try await retrying { () async throws(UserError) in
            try await directory.prepare(draft, for: hashRequester)
          }
          return (index, CreateRequest(user, id: draft.requestID))
        }
      }
      for try await (index, request) in group { prepared[index] = .success(request) }
    }
    return prepared
  }

  /// Does `work`, and again after a pause while a queue is full: that holds the client's stream up, which is
  /// what a bulk load wants, where one call would want an error.
  private func retrying<Value>(
    _ work: () async throws(UserError) -> Value
  ) async throws(UserError) -> Value {
    while true {
      do throws(UserError) {
        return try await work()
      } catch {
        guard case .overloaded(let delay) = error else { throw error }
        do {
          try await Task.sleep(for: delay)
        } catch {
          // Sleeping fails only when the call is cancelled.
          throw .cancelled
        }
      }
    }
  }

  /// Adds a failure to the response.
  private mutating func note(_ status: GoogleRPCStatus, index: Int) throws {
    // Our own generated type of the same message as the library's, which is not public.
    let bytes: [UInt8] = try status.serializedBytes()
    var failure = User_V1_BulkCreateFailure()
    failure.index = Int32(index)
    failure.status = try Google_Rpc_Status(serializedBytes: bytes)
    // Once one has lost its details, those after it have none either.
    if detailed.count == response.failures.count, detailed.bytes + bytes.count <= roomForDetails {
      detailed = (detailed.count + 1, detailed.bytes + bytes.count)
    } else {
      Self.removeDetails(&failure)
    }
    response.failures.append(failure)
  }

  private var roomForDetails: Int { Self.responseSize - rows * Self.bytesPerRow }

  /// Takes the details of the last failures that have some, when the rows that have come since need their room.
  private mutating func makeRoom() throws {
    while detailed.count > 0, detailed.bytes > roomForDetails {
      let last = detailed.count - 1
      let bytes: [UInt8] = try response.failures[last].status.serializedBytes()
      Self.removeDetails(&response.failures[last])
      detailed = (last, detailed.bytes - bytes.count)
    }
  }

  private static func removeDetails(_ failure: inout User_V1_BulkCreateFailure) {
    failure.status.message = ""
    failure.status.details = []
  }
}

/// A row of a bulk call, or why its bytes are none. A row that cannot be decoded is a failure of that row
/// only.
typealias DecodedRow = Result<User_V1_CreateUserRequest, RPCError>

/// Decodes rows without ending the stream at a bad one.
struct RowDeserializer: MessageDeserializer {
  private let base = ProtobufDeserializer<User_V1_CreateUserRequest>()

  func deserialize(_ bytes: some GRPCContiguousBytes) throws -> DecodedRow {
    Result { () throws(RPCError) in
      do {
        return try base.deserialize(bytes)
      } catch {
        throw RPCError(code: .internalError, message: "undecodable row", cause: error)
      }
    }
  }
}
