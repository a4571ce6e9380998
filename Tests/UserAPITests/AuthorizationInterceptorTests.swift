import GRPCCore
import Synchronization
import Testing
import UserDomain
import UserProtos

@testable import UserAPI

/// What the interceptor lets through, and for how long.
@Suite struct AuthorizationInterceptorTests {
  /// Believes one token until it is told not to.
  private final class OneToken: AccessTokenVerifier {
    private let claims: AccessTokenClaims
    private let fault = Mutex<TokenFault?>(nil)

    init(subject: String, scopes: Scopes = [], epoch: Int64? = nil) {
      claims = AccessTokenClaims(
        principal: Principal(subject: subject, scopes: scopes), issuedAt: .now, expiresAt: .now, epoch: epoch)
    }

    func verify(authorization: String) throws(UserError) -> AccessTokenClaims {
      guard authorization == "Bearer good" else { throw .unauthenticated(.untrusted) }
      if let fault = fault.withLock({ $0 }) { throw .unauthenticated(fault) }
      return claims
    }

    func known(authorization: UnsafeRawBufferPointer) -> AccessTokenClaims? {
      // Not known, whatever the reason.
      try? verify(authorization: String(decoding: authorization, as: UTF8.self))
    }

    func fail(_ fault: TokenFault) {
      self.fault.withLock { $0 = fault }
    }
  }

  private let revocations = RevocationList()
  private let user = UserID(high: 1, low: 2)

  /// What a handler behind the interceptor finds.
  private func call(
    _ verifier: OneToken, _ method: MethodDescriptor, token: String? = "good"
  ) async throws -> CallAuthorization {
    let interceptor = AuthorizationInterceptor(
      Authorizer(
        verifier: verifier, revocations: revocations, reflectionIsPublic: true,
        peerLimit: PeerLimit(rate: 1, burst: 1_000)))
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
      #expect(caller.authority == WriteAuthority(userID: user, epoch: 4))
    }
    let service = try await call(OneToken(subject: "billing", scopes: .usersWrite), method)
    #expect(service.authority == nil)
    try service.checkStillGood()
  }

  @Test("without a token, or with one that is no good, public methods have an anonymous caller")
  func anonymous() async throws {
    for token in [nil, "bad"] {
      let caller = try await call(
        OneToken(subject: "billing"), User_V1_UserService.Method.CreateUser.descriptor, token: token)
      #expect(caller.principal == .anonymous && caller.authority == nil)
      try caller.checkStillGood()
    }
  }

  // MARK: Calls that are admitted where they arrive

  private func admits(_ authorizer: Authorizer, _ token: String?) -> Bool {
    guard let token else { return authorizer.admitsKnown(nil, of: "ipv4:192.0.2.1:7", record: nil) }
    return Array("Bearer \(token)".utf8).withUnsafeBytes {
      authorizer.admitsKnown($0, of: "ipv4:192.0.2.1:7", record: nil)
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
    #expect(authorizer.isForEveryPeer(Users.CreateUser.descriptor))
    #expect(authorizer.isForEveryPeer(Auth_V1_AuthService.Method.SignIn.descriptor))
    for method in [
      Users.GetUser.descriptor, Users.BulkCreateUsers.descriptor,
      Grpc_Health_V1_Health.Method.Check.descriptor,
    ] {
      #expect(!authorizer.isForEveryPeer(method), "\(method)")
    }
  }
}
