import GRPCCore
import GRPCProtobuf
import PasswordHashing
import SwiftProtobuf
import TestSupport
import Testing
import UserDomain
import UserProtos
import UserStoreSQLite

@testable import UserAPI

@Suite(.tags(.heavy), .timeLimit(.minutes(10))) struct BulkCreateTests {
  private let authorization = CallAuthorization(nil, otherwise: .unrestricted, peer: "ipv4:192.0.2.1:7")

  private func row(_ email: String, password: String = "") -> User_V1_CreateUserRequest {
    .with { ($0.email, $0.password) = (email, password) }
  }

  private func response(of bulk: inout BulkCreate) async throws -> User_V1_BulkCreateResponse {
    try await User_V1_BulkCreateResponse(serializedBytes: bulk.finish())
  }

  private func directory(_ limits: HashingLimits = HashingLimits()) throws -> UserDirectory {
    UserDirectory(repository: try SQLiteUserRepository(.inMemory), hasher: try Argon2idHasher(limits: limits))
  }

  @Test("passwords are hashed although the pool has no queue: the call waits, no row fails")
  func backPressure() async throws {
    let directory = try directory(HashingLimits(threads: 1, queueLength: 0))
    var bulk = BulkCreate(
      directory: directory, limits: BulkLimits(concurrentHashes: 4), authorization: authorization)
    for number in 0..<8 { try await bulk.load(row("user\(number)@example.com", password: "correct horse")) }
    let response = try await response(of: &bulk)
    #expect(response.createdCount == 8)
    #expect(response.failures.isEmpty)
    for number in 0..<8 {
      let email = try EmailAddress("user\(number)@example.com")
      #expect(try await directory.repository.credential(email: email)?.passwordHash != nil)
    }
  }

  @Test("indexes and ids keep the order of the rows over many batches", arguments: [1, 3, 7, 100])
  func order(batch: Int) async throws {
    let directory = try directory()
    var bulk = BulkCreate(
      directory: directory, limits: BulkLimits(batch: batch), authorization: authorization)
    for number in 0..<20 { try await bulk.load(row(number % 4 == 3 ? "bad" : "user\(number)@example.com")) }
    let response = try await response(of: &bulk)
    #expect(response.failures.map(\.index) == [3, 7, 11, 15, 19])
    var listing = try await directory.listing(pageSize: 100)
    let users = try #require(try await listing.nextPage())
    #expect(users.map(\.id.description) == response.userIds)
    #expect(users.map(\.email.address) == (0..<20).filter { $0 % 4 != 3 }.map { "user\($0)@example.com" })
  }

  @Test(
    "the largest responses stay under gRPC's default of 4 MiB, and have every row", arguments: [0, 1, 2, 3])
  func responseSize(goodOf4: Int) async throws {
    var bulk = BulkCreate(directory: try directory(), limits: BulkLimits(), authorization: authorization)
    for number in 0..<100_000 {
      try await bulk.load(row(number % 4 < goodOf4 ? "user\(number)@example.com" : ""))
    }
    let response = try await response(of: &bulk)
    #expect(try response.serializedData().count < 4 << 20)
    #expect(response.userIds.count + response.failures.count == 100_000)
    #expect(response.failures.allSatisfy { $0.status.code == 3 })
  }

  @Test("a call with only valid rows fits too, and one more row is refused")
  func full() async throws {
    var bulk = BulkCreate(directory: try directory(), limits: BulkLimits(), authorization: authorization)
    for number in 0..<100_000 { try await bulk.load(row("user\(number)@example.com")) }
    await #expect(throws: GoogleRPCStatus.tooManyRows(limit: 100_000, stored: 100_000)) {
      try await bulk.load(row("more@example.com"))
    }
    #expect(try await bulk.finish().count < 4 << 20)
  }

  // MARK: Memory

  @Test("rows are stored before their batch is full when there is no memory for more")
  func memory() async throws {
    let memory = BulkMemory(rows: CallMemory(limit: 0, largestShare: 512 << 10))
    var bulk = BulkCreate(
      directory: try directory(), limits: BulkLimits(batch: 500), authorization: authorization, memory: memory
    )
    for number in 0..<100 { try await bulk.load(row("user\(number)@example.com")) }
    #expect(bulk.createdCount > 0)
    let response = try await response(of: &bulk)
    #expect(response.createdCount == 100 && response.failures.isEmpty)
  }

  @Test("a call without memory for its ids fails before it stores them, and says how many are stored")
  func idsWithoutMemory() async throws {
    let directory = try directory()
    // An id takes 16 bytes. A call holds 1 KiB without taking, and takes pieces of 8 KiB.
    let memory = BulkMemory(outcomes: CallMemory(limit: 8 << 10, largestShare: 8 << 20))
    var bulk = BulkCreate(
      directory: directory, limits: BulkLimits(batch: 100), authorization: authorization, memory: memory)
    for number in 0..<599 { try await bulk.load(row("user\(number)@example.com")) }
    await #expect(throws: UserError.overloaded(retryAfter: .seconds(1))) { _ = try await bulk.finish() }
    #expect(bulk.createdCount == 500)
    var listing = try await directory.listing(pageSize: 1_000)
    #expect(try await listing.nextPage()?.count == 500)
  }

  @Test("failures lose only their details when there is no memory for these")
  func detailsWithoutMemory() async throws {
    let memory = BulkMemory(details: CallMemory(limit: 8 << 10, largestShare: 8 << 20))
    var bulk = BulkCreate(
      directory: try directory(), limits: BulkLimits(batch: 10), authorization: authorization, memory: memory)
    for _ in 0..<500 { try await bulk.load(row("bad")) }
    let failures = try await response(of: &bulk).failures
    #expect(failures.map(\.index) == Array(0..<500))
    #expect(failures.allSatisfy { $0.status.code == 3 })
    #expect(failures.contains { $0.status.details.isEmpty && $0.status.message.isEmpty })
  }

  @Test("a call's memory is free again after its end")
  func memoryComesBack() async throws {
    let directory = try directory()
    let memory = BulkMemory(outcomes: CallMemory(limit: 8 << 10, largestShare: 8 << 20))
    for call in 0..<20 {
      var bulk = BulkCreate(
        directory: directory, limits: BulkLimits(), authorization: authorization, memory: memory)
      for number in 0..<400 { try await bulk.load(row("user\(call).\(number)@example.com")) }
      #expect(try await response(of: &bulk).createdCount == 400)
    }
  }

  // MARK: The caller's token

  @Test(
    "no row of a batch is stored if the token becomes invalid before the batch is full",
    arguments: [TokenFault.expired, .untrusted])
  func tokenEnds(fault: TokenFault) async throws {
    let verifier = OneToken(subject: "billing", scopes: .usersWrite)
    let authorization = try authorization(verifier, RevocationList())
    let directory = try directory()
    var bulk = BulkCreate(directory: directory, limits: BulkLimits(batch: 100), authorization: authorization)
    for number in 0..<150 { try await bulk.load(row("user\(number)@example.com")) }
    #expect(bulk.createdCount == 100)
    let newest = try await directory.repository.lastPlace()
    verifier.fail(fault)
    for number in 150..<199 { try await bulk.load(row("user\(number)@example.com")) }
    // The batch is stored at its last row, or at the end of the stream.
    await #expect(throws: UserError.unauthenticated(fault)) { _ = try await bulk.finish() }
    await #expect(throws: UserError.unauthenticated(fault)) {
      try await bulk.load(row("user199@example.com"))
    }
    #expect(bulk.createdCount == 100)
    #expect(try await directory.repository.lastPlace() == newest)
  }

  /// Returns the authorization of a call with the one token.
  private func authorization(_ verifier: OneToken, _ revocations: RevocationList) throws -> CallAuthorization
  {
    let claims = try verifier.verify(authorization: "Bearer good")
    return CallAuthorization(
      try BearerToken("Bearer good", claims, verifier: verifier, revocations: revocations),
      peer: "ipv4:192.0.2.1:7")
  }

  /// Returns the authorization of a call with the token of `user`.
  private func authorization(_ user: User, _ repository: SQLiteUserRepository) throws -> CallAuthorization {
    try authorization(
      OneToken(subject: "\(user.id)", scopes: .usersWrite, epoch: 0), repository.revocations)
  }

  @Test("no row of a batch is stored if its user is made inactive meanwhile")
  func userEnds() async throws {
    let repository = try SQLiteUserRepository(.inMemory)
    let directory = UserDirectory(repository: repository, hasher: try Argon2idHasher())
    let admin = try await repository.create(.init(email: EmailAddress("a@example.com"), name: UserName("")))
    let authorization = try authorization(admin, repository)
    var bulk = BulkCreate(directory: directory, limits: BulkLimits(), authorization: authorization)
    for number in 0..<500 { try await bulk.load(row("user\(number)@example.com")) }
    _ = try await repository.update(admin.id, UserChanges(status: .inactive))
    for number in 500..<900 { try await bulk.load(row("user\(number)@example.com")) }
    await #expect(throws: UserError.unauthenticated(.revoked)) { _ = try await bulk.finish() }
    #expect(try repository.lastPlace() == admin.id)
  }

  @Test("no row of a batch is stored if another process makes its user inactive meanwhile")
  func userEndsElsewhere() async throws {
    let folder = try TemporaryDirectory()
    let repository = try SQLiteUserRepository(.file(folder.path("users.db")))
    let other = try SQLiteUserRepository(.file(folder.path("users.db")))
    let directory = UserDirectory(repository: repository, hasher: try Argon2idHasher())
    let admin = try await repository.create(.init(email: EmailAddress("a@example.com"), name: UserName("")))
    let authorization = try authorization(admin, repository)
    var bulk = BulkCreate(directory: directory, limits: BulkLimits(), authorization: authorization)
    try await bulk.load(row("user@example.com"))
    _ = try await other.update(admin.id, UserChanges(status: .inactive))
    try authorization.checkStillValid()
    await #expect(throws: UserError.unauthenticated(.revoked)) { _ = try await bulk.finish() }
    #expect(try other.lastPlace() == admin.id)
    try await other.close()
    try await repository.close()
  }

  @Test("limits are clamped to their bounds", arguments: [(0, 1), (-5, 1), (1_000_000, 100_000)])
  func bounds(asked: Int, given: Int) {
    #expect(BulkLimits(rows: asked).rows == given)
  }
}

extension BulkCreate {
  /// Adds a row, and stores the batch if it has to be.
  fileprivate mutating func load(_ row: User_V1_CreateUserRequest) async throws {
    if try add(row) { try await storeBatch() }
  }
}
