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

/// What all BulkCreateUsers calls of a process may hold together.
struct BulkMemory {
  /// Rows that wait for their batches. A call that gets no more of it stores the rows that it has, so that many calls
  /// have smaller batches, and none fails.
  let rows: CallMemory
  /// What became of rows, until their call ends. A call that gets no more of it fails before it stores more.
  let outcomes: CallMemory
  /// Details of failures, which the failures lose when they get no more of it.
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
/// What it holds is bounded: one batch of rows, and a ``BulkResponse``.
struct BulkCreate {
  /// A row that waits for its batch: valid, or why it is not.
  private typealias Row = Result<UserDraft, GoogleRPCStatus>

  private let directory: UserDirectory
  private let limits: BulkLimits
  private let authorization: CallAuthorization
  private var batch: [Row] = []
  private let share: CallMemory.Share
  private var rows = 0
  private var response: BulkResponse

  /// A call with `authorization`. Nothing is stored once its token is invalid.
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

  /// Users that are stored.
  var createdCount: Int { response.createdCount }

  private var hashRequester: HashRequester { authorization.caller.hashRequester.inBackground }

  /// Takes one more row, nil for one that cannot be decoded, and stores a batch when it is full, or when there is no memory
  /// for more of it.
  ///
  /// - Throws: `GoogleRPCStatus` when there are too many rows, once those before are stored; `UserError` when
  ///   the store fails as a whole, and `.unauthenticated` when the caller's token has become invalid.
  mutating func add(_ request: User_V1_CreateUserRequest?) async throws {
    if batch.isEmpty { try authorization.checkStillGood() }
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

  /// Bytes that a row takes while it waits, about: its place in the batch, and its texts, each in memory of its own; or
  /// the details of its failure.
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

  /// - Throws: an error that has no status of its own, and so is no row's failure.
  private static func status(of error: UserError) throws -> GoogleRPCStatus {
    guard let status = GoogleRPCStatus(error) else { throw error }
    return status
  }

  /// Stores what is left and returns the response, serialized.
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
    // A batch of nothing but wrong rows has no part in a transaction.
    let outcomes = rejected.count == batch.count ? rejected : try await store(batch)
    // Many calls would hold the memory of many batches.
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
    // Rows that are wrong have their status already; only the others go to the store.
    var outcomes = try await retrying { () async throws(UserError) in
      // Nothing waits for the database on a token that is known to be invalid.
      try authorization.checkStillGood()
      return try await directory.repository.create(
        prepared.compactMap { try? $0.get() }, by: authorization.authority)
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
          try authorization.checkStillGood()
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
}

extension BulkCreate: StreamedCall {
  mutating func receive(_ message: [UInt8]) async throws -> [UInt8]? {
    do {
      // A row that cannot be decoded is a failure of that row only.
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

  /// `error`, so that it tells the caller how many users are stored.
  private func withCreatedCount(_ error: any Error) -> any Error {
    guard let error = error as? UserError, error != .cancelled else { return error }
    return GoogleRPCStatus(error, metadata: ["created_count": "\(createdCount)"]) ?? error
  }
}
