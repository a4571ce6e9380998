import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import UserDomain
import UserProtos

/// The limits of one BulkCreateUsers call.
public struct BulkLimits: Hashable, Sendable {
  /// The bounds of ``rows``. At the upper bound the response's ids still fit gRPC's default message size.
  public static let rowBounds = 1...100_000

  /// The maximum number of rows in a call, 100,000 by default.
  public let rows: Int
  /// Rows in one transaction.
  let batch: Int
  /// The number of passwords of one call that are hashed concurrently.
  let concurrentHashes: Int

  /// Creates limits; `rows` is clamped to ``rowBounds``.
  public init(rows: Int = rowBounds.upperBound, batch: Int = 1_000, concurrentHashes: Int = 4) {
    self.rows = min(max(rows, Self.rowBounds.lowerBound), Self.rowBounds.upperBound)
    self.batch = max(batch, 1)
    self.concurrentHashes = max(concurrentHashes, 1)
  }
}

/// The memory that all BulkCreateUsers calls of a process share.
struct BulkMemory {
  /// Memory for rows waiting for their batches. A call that gets no more stores the rows that it has: many calls get
  /// smaller batches, and none fails.
  let rows: CallMemory
  /// Memory for the rows' outcomes until the call ends. A call that gets no more fails before it stores more rows.
  let outcomes: CallMemory
  /// Memory for the details of failures. A failure that gets none is reported without details.
  let details: CallMemory

  init(
    rows: CallMemory = CallMemory(limit: 2 << 20, largestShare: 512 << 10),
    outcomes: CallMemory = CallMemory(limit: 8 << 20, largestShare: 2 << 20),
    details: CallMemory = CallMemory(limit: 4 << 20, largestShare: 4 << 20)
  ) {
    self.rows = rows
    self.outcomes = outcomes
    self.details = details
  }
}

/// One BulkCreateUsers call: rows in, batches to the store, the response out.
///
/// Its memory is bounded: one batch of rows, and a ``BulkResponse``.
struct BulkCreate {
  /// A row waiting for its batch: valid, or the reason why it is invalid.
  private typealias Row = Result<UserDraft, GoogleRPCStatus>

  private let directory: UserDirectory
  private let limits: BulkLimits
  private let authorization: CallAuthorization
  private var batch: [Row] = []
  private let share: CallMemory.Share
  private var rows = 0
  private var response: BulkResponse

  /// Creates a call with `authorization`. It stores nothing after its token has become invalid.
  init(
    directory: UserDirectory, limits: BulkLimits, authorization: CallAuthorization,
    memory: BulkMemory = BulkMemory()
  ) {
    self.directory = directory
    share = memory.rows.share()
    response = BulkResponse(outcomes: memory.outcomes.share(), details: memory.details.share())
    self.limits = limits
    self.authorization = authorization
  }

  /// The number of users stored so far.
  var createdCount: Int { response.createdCount }

  private var hashRequester: HashRequester { authorization.caller.hashRequester.inBackground }

  /// Adds a row; nil stands for a row that cannot be decoded. Stores the batch when it is full, or when there is no
  /// memory for more rows.
  ///
  /// - Throws: `GoogleRPCStatus` when there are too many rows, after storing the earlier ones; `UserError` when the
  ///   store fails as a whole; `.unauthenticated` when the caller's token has become invalid.
  mutating func add(_ request: User_V1_CreateUserRequest?) async throws {
    if batch.isEmpty { try authorization.checkStillValid() }
    if rows == limits.rows {
      try await flush()
      throw GoogleRPCStatus.tooManyRows(limit: limits.rows, stored: createdCount)
    }
    rows += 1
    let row = try row(request)
    batch.append(row)
    let hasRoom = share.hold(Self.size(of: row))
    if batch.count == limits.batch || !hasRoom { try await flush() }
  }

  /// Estimates the bytes of a waiting row: its place in the batch and its texts, each allocated separately, or the
  /// details of its failure.
  private static func size(of row: Row) -> Int {
    guard case .success(let draft) = row else { return 2_048 }
    return 256 + draft.email.address.utf8.count + draft.name.text.utf8.count
      + (draft.password?.normalized.utf8.count ?? 0)
  }

  private func row(_ request: User_V1_CreateUserRequest?) throws -> Row {
    guard let row = request else { return .failure(.undecodable()) }
    do {
      return .success(
        try UserDraft(
          email: row.email, name: row.name, password: row.password, requestID: row.requestID,
          policy: directory.passwordPolicy))
    } catch {
      return .failure(try Self.status(of: error))
    }
  }

  /// - Throws: an error without a status of its own, which is not the failure of one row.
  private static func status(of error: UserError) throws -> GoogleRPCStatus {
    guard let status = GoogleRPCStatus(error) else { throw error }
    return status
  }

  /// Stores the remaining rows and returns the serialized response.
  mutating func finish() async throws -> [UInt8] {
    try await flush()
    return try response.serialized()
  }

  private mutating func flush() async throws {
    try response.makeRoom(rows: rows, new: batch.count)
    let first = rows - batch.count
    let rejected = batch.compactMap { row -> Result<User, GoogleRPCStatus>? in
      if case .failure(let status) = row { .failure(status) } else { nil }
    }
    // A batch of invalid rows needs no transaction.
    let outcomes = rejected.count == batch.count ? rejected : try await store(batch)
    // Released here, so that many calls do not hold the memory of many batches.
    batch = []
    share.release()
    for (offset, outcome) in outcomes.enumerated() {
      switch outcome {
      case .success(let user): response.created(user.id)
      case .failure(let status): try response.failed(status, index: first + offset)
      }
    }
  }

  private func store(_ rows: [Row]) async throws -> [Result<User, GoogleRPCStatus>] {
    let prepared = try await hash(rows)
    // Invalid rows have their status already; only the others go to the store.
    var outcomes = try await retrying { () async throws(UserError) in
      // A call with an invalid token must not wait for the database.
      try authorization.checkStillValid()
      // Rows that failed are reported with their errors, and are not stored.
      return try await directory.repository.create(
        prepared.compactMap { try? $0.get() }, by: authorization.authority)
    }.makeIterator()
    var users: [Result<User, GoogleRPCStatus>] = []
    users.reserveCapacity(rows.count)
    for (row, prepared) in zip(rows, prepared) {
      switch prepared {
      case .success:
        // The store returns one outcome per row.
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

  /// Hashes the passwords of a batch, a few concurrently, and keeps the order of the rows.
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
          // Hashing a batch takes seconds, in which the token can expire.
          try authorization.checkStillValid()
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

  /// Performs `work`, and retries after a pause while a queue is full. The pause applies back-pressure to the client's
  /// stream: right for a bulk load, where a single call should get an error.
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
          // Sleeping throws only when the call is cancelled.
          throw .cancelled
        }
      }
    }
  }
}

extension BulkCreate: StreamedCall {
  mutating func receive(_ message: [UInt8]) async throws -> [UInt8]? {
    do {
      // A row that cannot be decoded fails alone.
      try await add(try? User_V1_CreateUserRequest(serializedBytes: message))
      return nil
    } catch {
      throw withCreatedCount(error)
    }
  }

  mutating func requestEnded() async throws -> [UInt8]? {
    do {
      return try await finish()
    } catch {
      throw withCreatedCount(error)
    }
  }

  /// Returns `error` with the number of users stored so far.
  private func withCreatedCount(_ error: any Error) -> any Error {
    guard let error = error as? UserError, error != .cancelled else { return error }
    return GoogleRPCStatus(error, metadata: ["created_count": "\(createdCount)"]) ?? error
  }
}
