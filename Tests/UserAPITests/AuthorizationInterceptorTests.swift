import GRPCCore
import Synchronization
import Testing
import UserDomain
import UserProtos

@testable import UserAPI

/// What the interceptor lets through, and for how long.
@Suite struct AuthorizationInterceptorTests {
  private let revocations = RevocationList()
  private let user = UserID(high: 1, low: 2)

  /// What a handler behind the interceptor finds.
  private func call(
    _ verifier: OneToken, _ method: MethodDescriptor, token: String? = "good",
    refreshKeys: @escaping @Sendable () async -> Void = {}
  ) async throws -> CallAuthorization {
    let interceptor = AuthorizationInterceptor(
      Authorizer(
        verifier: verifier, revocations: revocations, reflectionIsPublic: true,
        peerLimit: PeerLimit(rate: 1, burst: 1_000), refreshKeys: refreshKeys))
    let found = Mutex<CallAuthorization?>(nil)
    _ = try await interceptor.intercept(
      request: StreamingServerRequest(
        metadata: token.map { ["authorization": "Bearer \($0)"] } ?? [:],
        messages: RPCAsyncSequence<Int, any Error>(wrapping: AsyncThrowingStream { $0.finish() })),
      context: ServerContext(
        descriptor: method, remotePeer: "test:1", localPeer: "test:2", cancellation: .init())
    ) { _, _ in
      found.withLock { $0 = CallAuthorization.current }
      return StreamingServerResponse<Int> { _ in [:] }
    }
    return try #require(found.withLock { $0 })
  }

  @Test("a method that is not in the table nobody may call")
  func unknownMethod() async {
    let verifier = OneToken(subject: "admin", scopes: [.usersRead, .usersWrite])
    await #expect(throws: UserError.permissionDenied(missing: [])) {
      try await call(verifier, MethodDescriptor(fullyQualifiedService: "user.v1.UserService", method: "Drop"))
    }
  }

  @Test(
    "a stream asks again, and ends when its token has expired, was revoked or its key is gone",
    arguments: [TokenFault.expired, .untrusted])
  func stillGood(fault: TokenFault) async throws {
    let verifier = OneToken(subject: "\(user)", epoch: 0)
    let caller = try await call(verifier, User_V1_UserService.Method.UserUpdates.descriptor)
    try caller.checkStillGood()
    revocations.apply([.epochBegan(user, .init(number: 1, beganAt: .now, isUserActive: true))])
    #expect(throws: UserError.unauthenticated(.revoked)) { try caller.checkStillGood() }
    verifier.fail(fault)
    #expect(throws: UserError.unauthenticated(fault)) { try caller.checkStillGood() }
  }

  @Test("a user writes on the authority of its token's epoch, or of today's if the token has none")
  func authority() async throws {
    revocations.apply([.epochBegan(user, .init(number: 4, beganAt: .now - .seconds(9), isUserActive: true))])
    let method = User_V1_UserService.Method.UserUpdates.descriptor
    for epoch in [4, nil] as [Int64?] {
      let caller = try await call(OneToken(subject: "\(user)", epoch: epoch), method)
      #expect(caller.authority?.bearer == WriteAuthority.Bearer(userID: user, epoch: 4))
    }
  }

  @Test("a service writes on the authority of its token, which is checked again when it writes")
  func serviceAuthority() async throws {
    let verifier = OneToken(subject: "billing", scopes: .usersWrite)
    let service = try await call(verifier, User_V1_UserService.Method.UserUpdates.descriptor)
    let authority = try #require(service.authority)
    #expect(authority.bearer == nil)
    try authority.check()
    verifier.fail(.untrusted)
    #expect(throws: UserError.unauthenticated(.untrusted)) { try authority.check() }
  }

  @Test("without a token, or with one that is no good, public methods have an anonymous caller")
  func anonymous() async throws {
    for token in [nil, "bad"] {
      let caller = try await call(
        OneToken(subject: "billing"), User_V1_UserService.Method.CreateUser.descriptor, token: token)
      #expect(caller.principal == .anonymous && caller.authority?.bearer == nil)
      try caller.checkStillGood()
    }
  }

  // MARK: What strangers can make the service do

  private func authorize(_ authorizer: Authorizer, _ method: MethodDescriptor, _ token: String?) -> UserError?
  {
    do throws(UserError) {
      _ = try authorizer.authorize(
        token.map { ["authorization": "Bearer \($0)"] } ?? [:], method: method, peer: "ipv4:192.0.2.1:7",
        record: nil, keysAreFresh: true)
      return nil
    } catch {
      return error
    }
  }

  @Test(
    "invalid tokens are checked as often as the limit permits, whatever method they are for",
    arguments: [
      User_V1_UserService.Method.GetUser.descriptor, User_V1_UserService.Method.ListUsers.descriptor,
      User_V1_UserService.Method.BulkCreateUsers.descriptor,
      User_V1_UserService.Method.UserUpdates.descriptor,
      User_V1_UserService.Method.CreateUser.descriptor, Auth_V1_AuthService.Method.SignIn.descriptor,
      Auth_V1_AuthService.Method.RefreshToken.descriptor,
      Auth_V1_AuthService.Method.GetJsonWebKeySet.descriptor,
      Grpc_Health_V1_Health.Method.Check.descriptor,
    ])
  func invalidTokens(method: MethodDescriptor) {
    let verifier = OneToken(subject: "billing", scopes: [.usersRead, .usersWrite])
    let authorizer = authorizer(verifier, burst: 5)
    let errors = (0..<50).map { authorize(authorizer, method, "bad \($0)") }
    #expect(verifier.checkCount <= 5)
    guard method != Grpc_Health_V1_Health.Method.Check.descriptor else {
      // Its caller does not matter.
      #expect(verifier.checkCount == 0 && errors.allSatisfy { $0 == nil })
      return
    }
    guard case .peerLimitExceeded = errors[49] else {
      Issue.record("\(String(describing: errors[49]))")
      return
    }
    // A token that is known is not held up by that, and one that is not known must wait.
    let checks = verifier.checkCount
    #expect(authorize(authorizer, method, "good") != nil)
    #expect(verifier.checkCount == checks)
  }

  @Test("valid tokens are free, also where others of the network have used up its limit")
  func validTokens() {
    let verifier = OneToken(subject: "billing", scopes: .usersRead)
    let authorizer = authorizer(verifier, burst: 3)
    let method = User_V1_UserService.Method.ListUsers.descriptor
    #expect(authorize(authorizer, method, "good") == nil)
    for number in 0..<10 { #expect(authorize(authorizer, method, "bad \(number)") != nil) }
    #expect(verifier.checkCount == 1 + 3)
    for _ in 0..<10 { #expect(authorize(authorizer, method, "good") == nil) }
  }

  @Test(
    "every call that needs no token and costs something is counted, and a service that may write users is not"
  )
  func openCalls() {
    typealias Auth = Auth_V1_AuthService.Method
    for (method, count) in [
      (User_V1_UserService.Method.CreateUser.descriptor, 2), (Auth.SignIn.descriptor, 2),
      (Auth.RefreshToken.descriptor, 8), (Auth.RevokeToken.descriptor, 8),
      (Auth.GetJsonWebKeySet.descriptor, 20),
      (ReflectionHandler.methods[0], 20), (ReflectionHandler.methods[1], 20),
    ] {
      let authorizer = authorizer(OneToken(subject: "billing", scopes: .usersWrite), burst: 2)
      let admitted = (0..<100).prefix { _ in authorize(authorizer, method, nil) == nil }
      #expect(admitted.count == count, "\(method)")
      for _ in 0..<10 { #expect(authorize(authorizer, method, "good") == nil) }
    }
  }

  // MARK: Calls that are admitted where they arrive

  private func admits(_ authorizer: Authorizer, _ token: String?) -> Bool {
    guard let token else { return authorizer.admitsKnown(nil, of: "ipv4:192.0.2.1:7", .full, record: nil) }
    return Array("Bearer \(token)".utf8).withUnsafeBytes {
      authorizer.admitsKnown($0, of: "ipv4:192.0.2.1:7", .full, record: nil)
    }
  }

  private func authorizer(_ verifier: OneToken, burst: Int) -> Authorizer {
    Authorizer(
      verifier: verifier, revocations: revocations, reflectionIsPublic: true,
      peerLimit: PeerLimit(rate: 0.001, burst: burst))
  }

  @Test("a peer's calls count when they are admitted, and only then")
  func admittedPeers() {
    let authorizer = authorizer(OneToken(subject: "billing"), burst: 2)
    // Unknown: nobody knows yet, and nothing is counted.
    for _ in 0..<5 { #expect(!admits(authorizer, "bad")) }
    #expect(admits(authorizer, nil) && admits(authorizer, "good"))
    #expect(!admits(authorizer, nil) && !admits(authorizer, "good"))
  }

  @Test("a service that may write users is not counted, unless its token has ended")
  func admittedServices() {
    let verifier = OneToken(subject: "billing", scopes: .usersWrite)
    let authorizer = authorizer(verifier, burst: 1)
    for _ in 0..<5 { #expect(admits(authorizer, "good")) }
    verifier.fail(.expired)
    #expect(!admits(authorizer, "good"))
  }

  @Test("of all methods, those are for every peer that the table opens and the limit covers")
  func forEveryPeer() {
    let authorizer = authorizer(OneToken(subject: "billing"), burst: 1)
    typealias Users = User_V1_UserService.Method
    #expect(authorizer.costForEveryPeer(of: Users.CreateUser.descriptor) == .full)
    #expect(authorizer.costForEveryPeer(of: Auth_V1_AuthService.Method.SignIn.descriptor) == .full)
    for method in [
      Users.GetUser.descriptor, Users.BulkCreateUsers.descriptor,
      Grpc_Health_V1_Health.Method.Check.descriptor,
    ] {
      #expect(authorizer.costForEveryPeer(of: method) == nil, "\(method)")
    }
  }

  @Test(
    "for a token of an unknown key the keys are read again, once, and the token is good if its key is there now"
  )
  func unknownKey() async throws {
    let listUsers = User_V1_UserService.Method.ListUsers.descriptor
    let createUser = User_V1_UserService.Method.CreateUser.descriptor
    let verifier = OneToken(subject: "billing", scopes: [.usersRead, .usersWrite])
    let count = Mutex(0)
    for method in [listUsers, createUser] {
      verifier.fail(.unknownKey)
      count.withLock { $0 = 0 }
      let caller = try await call(verifier, method) {
        count.withLock { $0 += 1 }
        verifier.fail(nil)
      }
      #expect(caller.principal.subject == "billing")
      #expect(count.withLock { $0 } == 1)
    }
    verifier.fail(.unknownKey)
    count.withLock { $0 = 0 }
    await #expect(throws: UserError.unauthenticated(.unknownKey)) {
      try await call(verifier, listUsers) { count.withLock { $0 += 1 } }
    }
    #expect(try await call(verifier, createUser) { count.withLock { $0 += 1 } }.principal == .anonymous)
    #expect(count.withLock { $0 } == 2)
    verifier.fail(.untrusted)
    await #expect(throws: UserError.unauthenticated(.untrusted)) {
      try await call(verifier, listUsers) { count.withLock { $0 += 1 } }
    }
    #expect(count.withLock { $0 } == 2)
  }
}
