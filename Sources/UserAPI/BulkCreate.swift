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
  private typealias Draft = (index: Int, user: UserDraft)
  private typealias Failure = (index: Int, status: GoogleRPCStatus)

  private let directory: UserDirectory
  private let limits: BulkLimits
  private let authorization: CallAuthorization
  /// The valid rows of the batch, and the others with their indexes in the call.
  private var drafts: [Draft] = []
  private var rejected: [Failure] = []
  private let share: CallMemory.Share
  private var rows = 0
  private var hasTooManyRows = false
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

  /// Adds a row; nil stands for a row that cannot be decoded. Returns whether ``storeBatch()`` must run before the next
  /// row: the batch is full, memory for more rows is short, or there are too many.
  ///
  /// - Throws: `.unauthenticated` when the caller's token has become invalid.
  mutating func add(_ request: User_V1_CreateUserRequest?) throws -> Bool {
    if drafts.isEmpty, rejected.isEmpty { try authorization.checkStillValid() }
    if rows == limits.rows {
      hasTooManyRows = true
      return true
    }
    let hasRoom: Bool
    switch try draft(request) {
    case .success(let draft):
      drafts.append((rows, draft))
      hasRoom = share.hold(Self.size(of: draft))
    case .failure(let status):
      rejected.append((rows, status))
      hasRoom = share.hold(Self.sizeOfRejected)
    }
    rows += 1
    return drafts.count + rejected.count == limits.batch || !hasRoom
  }

  /// Stores the batch.
  ///
  /// - Throws: `GoogleRPCStatus` when there are too many rows, after storing the earlier ones; `UserError` when the
  ///   store fails as a whole; `.unauthenticated` when the caller's token has become invalid.
  mutating func storeBatch() async throws {
    try await flush()
    if hasTooManyRows { throw GoogleRPCStatus.tooManyRows(limit: limits.rows, stored: createdCount) }
  }

  /// Estimates the bytes of a waiting row: its place in the batch and its texts, each allocated separately.
  private static func size(of draft: UserDraft) -> Int {
    256 + draft.email.address.utf8.count + draft.name.text.utf8.count + draft.labels.text.utf8.count
      + (draft.password?.normalized.utf8.count ?? 0)
  }

  /// The estimated bytes of a row that waits with the details of its failure.
  private static let sizeOfRejected = 2_048

  private func draft(_ row: User_V1_CreateUserRequest?) throws -> Result<UserDraft, GoogleRPCStatus> {
    guard let row else { return .failure(.undecodable()) }
    do {
      return .success(
        try UserDraft(
          email: row.email, name: row.name, password: row.password, requestID: row.requestID,
          labels: row.labels, policy: directory.passwordPolicy))
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
    try response.makeRoom(rows: rows, new: drafts.count + rejected.count)
    // A batch of invalid rows needs no transaction.
    let outcomes = drafts.isEmpty ? [] : try await store()
    var failures = rejected
    for (draft, outcome) in zip(drafts, outcomes) {
      switch outcome {
      case .success(let id): response.created(id)
      case .failure(let status): failures.append((draft.index, status))
      }
    }
    // Released here, so that many calls do not hold the memory of many batches.
    drafts = []
    rejected = []
    share.release()
    for failure in failures.sorted(by: { $0.index < $1.index }) {
      try response.failed(failure.status, index: failure.index)
    }
  }

  /// Stores the drafts. Returns one outcome per draft.
  private func store() async throws -> [Result<UserID, GoogleRPCStatus>] {
    let requests = try await hashed()
    let creations = try await BulkWork.retrying { () async throws(UserError) in
      // A call with an invalid token must not wait for the database.
      try authorization.checkStillValid()
      return try await directory.repository.create(requests, by: authorization.authority)
    }
    var outcomes: [Result<UserID, GoogleRPCStatus>] = []
    outcomes.reserveCapacity(creations.count)
    for (draft, creation) in zip(drafts, creations) {
      switch creation {
      case .success(let creation) where creation.earlier == nil: outcomes.append(.success(creation.user.id))
      case .success(let creation): outcomes.append(try await confirm(creation, of: draft.user))
      case .failure(let error): outcomes.append(.failure(try Self.status(of: error)))
      }
    }
    return outcomes
  }

  private func confirm(_ creation: Creation, of draft: UserDraft) async throws -> Result<
    UserID, GoogleRPCStatus
  > {
    do throws(UserError) {
      let user = try await BulkWork.retrying { () async throws(UserError) in
        try await directory.confirm(creation, of: draft, for: hashRequester)
      }
      return .success(user.id)
    } catch {
      return .failure(try Self.status(of: error))
    }
  }

  /// Returns the requests of the drafts, in their order, their passwords hashed, a few concurrently.
  private func hashed() async throws -> [CreateRequest] {
    var requests = drafts.map { draft in
      let user = NewUser(email: draft.user.email, name: draft.user.name, labels: draft.user.labels)
      return CreateRequest(user, id: draft.user.requestID)
    }
    let costly = drafts.indices.filter { drafts[$0].user.password != nil }
    if costly.isEmpty { return requests }
    let hashed = try await BulkWork.map(
      costly.map { drafts[$0].user }, atOnce: limits.concurrentHashes
    ) { [directory, authorization, hashRequester] draft in
      // Hashing a batch takes seconds, in which the token can expire.
      try authorization.checkStillValid()
      let user = try await BulkWork.retrying { () async throws(UserError) in
        try await directory.prepare(draft, for: hashRequester)
      }
      return CreateRequest(user, id: draft.requestID)
    }
    for (index, request) in zip(costly, hashed) { requests[index] = request }
    return requests
  }
}

extension BulkCreate: StreamedCall {
  mutating func receive(_ message: [UInt8]) throws -> StreamedCallStep {
    do {
      // A row that cannot be decoded fails alone.
      return try add(try? User_V1_CreateUserRequest(serializedBytes: message)) ? .work : .next
    } catch {
      throw withCreatedCount(error)
    }
  }

  mutating func work() async throws -> [[UInt8]] {
    do {
      try await storeBatch()
      return []
    } catch {
      throw withCreatedCount(error)
    }
  }

  mutating func requestEnded() async throws -> [[UInt8]] {
    do {
      return [try await finish()]
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
