import GRPCCore
import GRPCProtobuf
import PasswordHashing
import SwiftProtobuf
import Synchronization
import Testing
import UserDomain
import UserProtos
import UserStoreSQLite

@testable import UserAPI

/// Tests the methods with many requests, and the one with many responses.
@Suite struct StreamedMethodTests {
  private typealias Methods = User_V1_UserService.Method

  private let repository: SQLiteUserRepository

  init() throws {
    repository = try SQLiteUserRepository(.inMemory)
  }

  private func service(_ authorizer: Authorizer = .off) throws -> UserServiceHandler {
    UserServiceHandler(
      directory: UserDirectory(repository: repository, hasher: try Argon2idHasher()),
      pageTokens: PageTokenCodec(key: [UInt8](repeating: 1, count: PageTokenCodec.keyLength)),
      calls: .test(authorizer))
  }

  private func method(_ descriptor: MethodDescriptor, _ authorizer: Authorizer = .off) throws
    -> StreamedMethod
  {
    try #require(try service(authorizer).streamedMethods.first { $0.descriptor == descriptor })
  }

  private func authorizer(_ verifier: OneToken) -> Authorizer {
    Authorizer(
      verifier: verifier, revocations: repository.revocations, reflectionIsPublic: true, peerLimit: nil)
  }

  private func users(_ names: [String]) async throws -> [User] {
    try await repository.create(
      names.map { NewUser(email: try EmailAddress("\($0)@example.com"), name: try UserName($0)) }
    ).map { try $0.get() }
  }

  @Test("an inline call is taken, refused or left to its handler, by its token")
  func acceptance() throws {
    let verifier = OneToken(subject: "billing", scopes: .usersWrite)
    let method = try method(Methods.BulkCreateUsers.descriptor, authorizer(verifier))
    guard case .taken = method.accept(StreamingTestCall(token: "good")) else {
      Issue.record("a valid token is not taken")
      return
    }
    for (token, code) in [(nil, RPCError.Code.unauthenticated), ("bad", .unauthenticated)] {
      guard case .refused(let error) = method.accept(StreamingTestCall(token: token)) else {
        Issue.record("\(token ?? "no token") is not refused")
        continue
      }
      #expect(error.code == code)
    }
    verifier.fail(.unknownKey)
    guard case .declined = method.accept(StreamingTestCall(token: "good")) else {
      Issue.record("a token of an unknown key is not left to the handler")
      return
    }
  }

  @Test("both roads answer updates with the same bytes, and a failed update ends the call")
  func updates() async throws {
    let user = try await users(["ada"])[0]
    let method = try method(Methods.UserUpdates.descriptor)
    let update: [UInt8] = try User_V1_UserUpdateRequest.with {
      ($0.userID, $0.name) = ("\(user.id)", "Ada L.")
    }.serializedBytes()
    guard case .taken(var call) = method.accept(StreamingTestCall()) else {
      Issue.record("the call is not taken")
      return
    }
    guard call.receive(update) == nil, case .send(let inline) = await call.work() else {
      Issue.record("there is no answer")
      return
    }
    let handled = HandlerCall(Methods.UserUpdates.descriptor, messages: [update])
    #expect(try await method.handle(handled.request, handled.context).messages() == inline)
    guard case .end([], let failure?) = call.receive([0xff]) else {
      Issue.record("an undecodable message does not end the call")
      return
    }
    let failing = HandlerCall(Methods.UserUpdates.descriptor, messages: [update, [0xff]])
    let expected = try failure.unpackGoogleRPCStatus()
    #expect(expected?.details.first?.errorInfo?.metadata == ["request_index": "1"])
    await #expect(throws: failure) {
      try await method.handle(failing.request, failing.context).messages()
    }
  }

  @Test("rows and updates reach the store in order")
  func order() async throws {
    let rows = try ["ada", "", "bob"].map { name in
      try User_V1_CreateUserRequest.with { $0.email = "\(name)@example.com" }.serializedBytes() as [UInt8]
    }
    let bulk = HandlerCall(Methods.BulkCreateUsers.descriptor, messages: rows)
    let responses = try await method(bulk.context.descriptor).handle(bulk.request, bulk.context).messages()
    let response = try User_V1_BulkCreateResponse(serializedBytes: try #require(responses.first))
    #expect(responses.count == 1 && response.createdCount == 2 && response.failures.map(\.index) == [1])
    let ids = response.userIds
    let updates = HandlerCall(
      Methods.UserUpdates.descriptor,
      messages: try ids.map { id in
        try User_V1_UserUpdateRequest.with { ($0.userID, $0.name) = (id, "renamed") }.serializedBytes()
      })
    let updated = try await method(updates.context.descriptor).handle(updates.request, updates.context)
      .messages().map { try User_V1_User(serializedBytes: $0) }
    #expect(updated.map(\.id) == ids)
    #expect(updated.map(\.email) == ["ada@example.com", "bob@example.com"])
    #expect(updated.allSatisfy { $0.name == "renamed" })
  }

  // MARK: ListUsers

  private func list(
    _ request: User_V1_ListUsersRequest, _ authorizer: Authorizer = .off, token: String? = nil
  ) async throws -> StreamingServerResponse<UserPage> {
    let call = HandlerCall(
      Methods.ListUsers.descriptor, metadata: token.map { ["authorization": "Bearer \($0)"] } ?? [:],
      messages: [try request.serializedBytes()])
    return try await ListUsers(
      directory: UserDirectory(repository: repository, hasher: try Argon2idHasher()),
      pageTokens: PageTokenCodec(key: [UInt8](repeating: 1, count: PageTokenCodec.keyLength)),
      pipeline: CallPipeline.test(authorizer).pipeline(of: Methods.ListUsers.descriptor)
    ).handle(call.request, call.context)
  }

  @Test("a listing has all users in pages, and each page has the token of the next")
  func listing() async throws {
    let all = try await users(["ada", "bob", "cid", "dan", "eve"])
    let pages = try await list(.with { $0.pageSize = 2 }).messages().map { try $0.users }
    #expect(pages.map { $0.map(\.id) } == [[0, 1], [2, 3], [4]].map { $0.map { "\(all[$0].id)" } })
    #expect(pages[0].map(\.pageToken.isEmpty) == [true, false])
    let rest = try await list(.with { $0.pageToken = pages[0][1].pageToken }).messages()
    #expect(try rest.flatMap { try $0.users }.map(\.id) == all[2...].map { "\($0.id)" })
  }

  @Test("an invalid request fails after the response has begun, a forbidden one before")
  func wrongListings() async throws {
    let response = try await list(
      .with { ($0.pageSize, $0.pageToken) = (-1, "x") })
    let failure = await #expect(throws: RPCError.self) { try await response.messages() }
    let fields = try failure?.unpackGoogleRPCStatus()?.details.compactMap(\.badRequest).first
    #expect(fields?.violations.map(\.field) == ["page_size", "page_token"])
    let refused = await #expect(throws: RPCError.self) {
      try await list(.init(), authorizer(OneToken(subject: "billing")), token: "good")
    }
    #expect(refused?.code == .permissionDenied)
  }

  @Test("a listing ends when its token becomes invalid")
  func listingWithoutToken() async throws {
    _ = try await users(["ada"])
    let verifier = OneToken(subject: "billing", scopes: .usersRead)
    let response = try await list(.init(), authorizer(verifier), token: "good")
    verifier.fail(.expired)
    let failure = await #expect(throws: RPCError.self) { try await response.messages() }
    #expect(failure?.code == .unauthenticated)
  }
}

/// A streaming call as a transport offers it to an inline method.
private struct StreamingTestCall: InlineStreamingCall, ~Copyable {
  struct Responses: InlineResponses {
    func send(_ message: [UInt8]) {}
    func end(_ error: RPCError) {}
    func wake() {}
  }

  let metadata: Metadata
  let remotePeer = "ipv4:192.0.2.1:7"
  let responses = Responses()
  let cause: @Sendable () -> CancellationCause = { .client }

  init(token: String? = nil) {
    metadata = token.map { ["authorization": "Bearer \($0)"] } ?? [:]
  }

  var message: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

  func whenCancelled(_ body: @escaping @Sendable () -> Void) {}
}

extension UserPage {
  /// Returns the users, each behind its five-byte prefix.
  fileprivate var users: [User_V1_User] {
    get throws {
      var (users, rest) = ([User_V1_User](), frames[...])
      while !rest.isEmpty {
        let length = rest.dropFirst().prefix(4).reduce(0) { $0 << 8 | Int($1) }
        users.append(try User_V1_User(serializedBytes: Array(rest.dropFirst(5).prefix(length))))
        rest = rest.dropFirst(5 + length)
      }
      return users
    }
  }
}
