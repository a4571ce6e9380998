import GRPCCore
import Testing
import UserDomain
import UserProtos

@testable import UserAPI

/// Tests the decisions of a gate, by the cheap check of a token and by the thorough one.
@Suite struct MethodGateTests {
  private typealias Users = User_V1_UserService.Method
  private typealias Auth = Auth_V1_AuthService.Method

  private static let peer = "ipv4:192.0.2.1:7"

  private let revocations = RevocationList()
  private let user = UserID(high: 1, low: 2)

  private func authorizer(_ verifier: OneToken, burst: Int = 1_000) -> Authorizer {
    Authorizer(
      verifier: verifier, revocations: revocations, reflectionIsPublic: true,
      peerLimit: PeerLimit(rate: 0.001, burst: burst))
  }

  private func decide(
    _ authorizer: Authorizer, _ method: MethodDescriptor, token: String? = "good", isRefreshed: Bool = false
  ) -> Decision<CallAuthorization> {
    authorizer.gate(of: method).decide(
      token.map { ["authorization": "Bearer \($0)"] } ?? [:], from: Self.peer, isRefreshed: isRefreshed)
  }

  /// Returns the gate's decision without checking a signature.
  private func decideKnown(
    _ authorizer: Authorizer, _ method: MethodDescriptor, token: String? = "good"
  ) -> Decision<Caller> {
    let gate = authorizer.gate(of: method)
    guard let token else { return gate.decide(known: nil, from: Self.peer) }
    return Array("Bearer \(token)".utf8).withUnsafeBytes { gate.decide(known: $0, from: Self.peer) }
  }

  private func permitted(
    _ verifier: OneToken, _ method: MethodDescriptor, token: String? = "good"
  ) throws -> CallAuthorization {
    try #require(decide(authorizer(verifier), method, token: token).permitted)
  }

  @Test("a method missing from the table is closed to every caller")
  func unknownMethod() {
    let authorizer = authorizer(OneToken(subject: "admin", scopes: [.usersRead, .usersWrite]))
    let method = MethodDescriptor(fullyQualifiedService: "user.v1.UserService", method: "Drop")
    #expect(decide(authorizer, method).refused == .permissionDenied(missing: []))
    #expect(decideKnown(authorizer, method).refused == .permissionDenied(missing: []))
  }

  @Test(
    "a stream checks its token again, and ends when the token expires, is revoked or loses its key",
    arguments: [TokenFault.expired, .untrusted])
  func stillGood(fault: TokenFault) throws {
    let verifier = OneToken(subject: "\(user)", epoch: 0)
    let caller = try permitted(verifier, Users.UserUpdates.descriptor)
    try caller.checkStillValid()
    revocations.apply([.epochBegan(user, .init(number: 1, beganAt: .now, isUserActive: true))])
    #expect(throws: UserError.unauthenticated(.revoked)) { try caller.checkStillValid() }
    verifier.fail(fault)
    #expect(throws: UserError.unauthenticated(fault)) { try caller.checkStillValid() }
  }

  @Test("a user writes under its token's epoch, or the current one if the token has none")
  func authority() throws {
    revocations.apply([.epochBegan(user, .init(number: 4, beganAt: .now - .seconds(9), isUserActive: true))])
    let method = Users.UserUpdates.descriptor
    for epoch in [4, nil] as [Int64?] {
      let caller = try permitted(OneToken(subject: "\(user)", epoch: epoch), method)
      #expect(caller.authority?.bearer == WriteAuthority.Bearer(userID: user, epoch: 4))
    }
  }

  @Test("a service writes under its token, which is checked again at the write")
  func serviceAuthority() throws {
    let verifier = OneToken(subject: "billing", scopes: .usersWrite)
    let service = try permitted(verifier, Users.UserUpdates.descriptor)
    let authority = try #require(service.authority)
    #expect(authority.bearer == nil)
    try authority.check()
    verifier.fail(.untrusted)
    #expect(throws: UserError.unauthenticated(.untrusted)) { try authority.check() }
  }

  @Test("without a valid token, public methods have an anonymous caller")
  func anonymous() throws {
    for token in [nil, "bad"] {
      let caller = try permitted(OneToken(subject: "billing"), Users.CreateUser.descriptor, token: token)
      #expect(caller.caller.principal == .anonymous && caller.caller.bearer == nil && caller.authority == nil)
      try caller.checkStillValid()
    }
  }

  // MARK: Work that callers without a token can cause

  private func authorize(_ authorizer: Authorizer, _ method: MethodDescriptor, _ token: String?) -> UserError?
  {
    decide(authorizer, method, token: token, isRefreshed: true).refused
  }

  @Test(
    "invalid tokens are checked as often as the limit allows, on any method",
    arguments: [
      Users.GetUser.descriptor, Users.ListUsers.descriptor,
      Users.BulkCreateUsers.descriptor,
      Users.UserUpdates.descriptor,
      Users.CreateUser.descriptor, Auth_V1_AuthService.Method.SignIn.descriptor,
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
      // The caller does not matter.
      #expect(verifier.checkCount == 0 && errors.allSatisfy { $0 == nil })
      return
    }
    guard case .peerLimitExceeded = errors[49] else {
      Issue.record("\(String(describing: errors[49]))")
      return
    }
    // A known token is not held up by the limit; an unknown one must wait.
    let checks = verifier.checkCount
    #expect(authorize(authorizer, method, "good") != nil)
    #expect(verifier.checkCount == checks)
  }

  @Test("valid tokens are free, even when their network has exhausted its limit")
  func validTokens() {
    let verifier = OneToken(subject: "billing", scopes: .usersRead)
    let authorizer = authorizer(verifier, burst: 3)
    let method = Users.ListUsers.descriptor
    #expect(authorize(authorizer, method, "good") == nil)
    for number in 0..<10 { #expect(authorize(authorizer, method, "bad \(number)") != nil) }
    #expect(verifier.checkCount == 1 + 3)
    for _ in 0..<10 { #expect(authorize(authorizer, method, "good") == nil) }
  }

  @Test(
    "every call with a cost that needs no token is counted, except those of a service with users:write"
  )
  func openCalls() {
    typealias Auth = Auth_V1_AuthService.Method
    for (method, count) in [
      (Users.CreateUser.descriptor, 2), (Auth.SignIn.descriptor, 2),
      (Auth.RefreshToken.descriptor, 8), (Auth.RevokeToken.descriptor, 8),
      (Auth.GetJsonWebKeySet.descriptor, 20),
      (MethodDescriptor.serverReflection[0], 20), (MethodDescriptor.serverReflection[1], 20),
    ] {
      let authorizer = authorizer(OneToken(subject: "billing", scopes: .usersWrite), burst: 2)
      let admitted = (0..<100).prefix { _ in authorize(authorizer, method, nil) == nil }
      #expect(admitted.count == count, "\(method)")
      for _ in 0..<10 { #expect(authorize(authorizer, method, "good") == nil) }
    }
  }

  // MARK: Decisions without the check of a signature

  @Test("where no token is needed, exactly the permitted calls of a peer count")
  func knownPeers() {
    let authorizer = authorizer(OneToken(subject: "billing"), burst: 2)
    let method = Users.CreateUser.descriptor
    for _ in 0..<5 { #expect(decideKnown(authorizer, method, token: "bad").isUndecided) }
    #expect(decideKnown(authorizer, method, token: nil).permitted?.bearer == nil)
    #expect(decideKnown(authorizer, method).permitted?.bearer?.subject == "billing")
    for token in [nil, "good"] {
      let decision = decideKnown(authorizer, method, token: token)
      guard case .refuse(.peerLimitExceeded, let bearer) = decision else {
        Issue.record("\(decision)")
        continue
      }
      #expect(bearer?.subject == token.map { _ in "billing" })
    }
  }

  @Test("a service with users:write is not counted, unless its token is invalid")
  func knownServices() {
    let verifier = OneToken(subject: "billing", scopes: .usersWrite)
    let authorizer = authorizer(verifier, burst: 1)
    for _ in 0..<5 { #expect(decideKnown(authorizer, Users.CreateUser.descriptor).permitted != nil) }
    verifier.fail(.expired)
    #expect(decideKnown(authorizer, Users.CreateUser.descriptor).isUndecided)
  }

  @Test("where a token is needed, a missing, unknown or revoked token is undecided")
  func knownTokens() {
    let verifier = OneToken(subject: "\(user)", epoch: 0)
    let authorizer = authorizer(verifier)
    let method = Users.GetUser.descriptor
    #expect(decideKnown(authorizer, method).permitted?.bearer?.userID == user)
    #expect(decideKnown(authorizer, method, token: nil).isUndecided)
    #expect(decideKnown(authorizer, method, token: "bad").isUndecided)
    #expect(decide(authorizer, method, token: nil).refused == .unauthenticated(.missing))
    revocations.apply([.epochBegan(user, .init(number: 1, beganAt: .now, isUserActive: true))])
    #expect(decideKnown(authorizer, method).isUndecided)
    #expect(decide(authorizer, method).refused == .unauthenticated(.revoked))
  }

  @Test("a known caller without the scope is refused, and named for the log")
  func knownWithoutScope() {
    let authorizer = authorizer(OneToken(subject: "billing", scopes: .usersWrite))
    let known = decideKnown(authorizer, Users.GetUser.descriptor)
    let checked = decide(authorizer, Users.GetUser.descriptor)
    for refusal in [known.refusal, checked.refusal] {
      #expect(refusal?.error == .permissionDenied(missing: .usersRead))
      #expect(refusal?.bearer?.subject == "billing")
    }
  }

  @Test("a method without a cost ignores tokens", arguments: Grpc_Health_V1_Health.Method.descriptors)
  func free(method: MethodDescriptor) {
    let verifier = OneToken(subject: "billing")
    let authorizer = authorizer(verifier, burst: 1)
    for _ in 0..<5 {
      #expect(decideKnown(authorizer, method).permitted?.principal == .anonymous)
      #expect(decide(authorizer, method).permitted?.caller.principal == .anonymous)
    }
    #expect(verifier.checkCount == 0)
  }

  @Test("a token of an unknown key is undecided until the keys are fresh; then it is invalid")
  func unknownKey() {
    let verifier = OneToken(subject: "billing", scopes: [.usersRead, .usersWrite])
    verifier.fail(.unknownKey)
    let authorizer = authorizer(verifier)
    let (listUsers, createUser) = (Users.ListUsers.descriptor, Users.CreateUser.descriptor)
    #expect(decide(authorizer, listUsers).isUndecided && decide(authorizer, createUser).isUndecided)
    #expect(
      decide(authorizer, listUsers, isRefreshed: true).refused == .unauthenticated(.unknownKey))
    #expect(
      decide(authorizer, createUser, isRefreshed: true).permitted?.caller.principal == .anonymous)
  }

  @Test("a token of an epoch that another process may have begun is undecided until revocations are read")
  func laterEpoch() async {
    let refreshed = RevocationList.Event.epochBegan(
      user, RevocationList.Epoch(number: 2, beganAt: .now, isUserActive: true))
    let verifier = OneToken(subject: "\(user)", scopes: [.usersRead], epoch: 2)
    let method = Users.ListUsers.descriptor
    let alone = authorizer(verifier)
    #expect(decide(alone, method).refused == .unauthenticated(.revoked))
    let authorizer = Authorizer(
      verifier: verifier, revocations: revocations, reflectionIsPublic: true, peerLimit: nil,
      refreshRevocations: { [revocations] in revocations.apply([refreshed]) })
    #expect(decideKnown(authorizer, method).isUndecided)
    guard case .undecided(.revocations) = decide(authorizer, method) else {
      Issue.record("decided without a read")
      return
    }
    #expect(decide(authorizer, method, isRefreshed: true).refused == .unauthenticated(.revoked))
    await authorizer.refresh(.keys)
    #expect(decide(authorizer, method).permitted == nil)
    await authorizer.refresh(.revocations)
    #expect(decide(authorizer, method, isRefreshed: true).permitted?.caller.principal.userID == user)
    #expect(decideKnown(authorizer, method).permitted?.principal.userID == user)
  }

  @Test("two tokens are invalid where one is needed, and ignored elsewhere")
  func twoTokens() {
    let authorizer = authorizer(OneToken(subject: "billing", scopes: .usersRead))
    let metadata: Metadata = ["authorization": "Bearer good", "authorization": "Bearer good"]
    let list = authorizer.gate(of: Users.ListUsers.descriptor)
    #expect(
      list.decide(metadata, from: Self.peer, isRefreshed: false).refused == .unauthenticated(.malformed))
    let create = authorizer.gate(of: Users.CreateUser.descriptor)
    #expect(create.decide(metadata, from: Self.peer, isRefreshed: false).permitted?.caller.bearer == nil)
  }

  // MARK: Authentication is off

  @Test(
    "with authentication off every caller has all rights, with any token, and the log names no bearer")
  func off() throws {
    let method = MethodDescriptor(fullyQualifiedService: "user.v1.UserService", method: "Any")
    for token in [nil, "bad", "good"] {
      for _ in 0..<100 {
        let known = try #require(decideKnown(.off, method, token: token).permitted)
        let call = try #require(decide(.off, method, token: token).permitted)
        for caller in [known, call.caller] {
          #expect(caller.principal == .unrestricted && caller.bearer == nil)
          #expect(caller.hashRequester == HashRequester(.network(PeerNetwork(peer: Self.peer))))
        }
        #expect(call.authority == nil)
        try call.checkStillValid()
        try call.admit(.full)
        try call.admitOwnUpdate()
      }
    }
  }
}

extension Decision {
  fileprivate var permitted: Permitted? { if case .permit(let permitted) = self { permitted } else { nil } }
  fileprivate var refusal: (error: UserError, bearer: Principal?)? {
    if case .refuse(let error, let bearer) = self { (error, bearer) } else { nil }
  }
  fileprivate var refused: UserError? { refusal?.error }
  fileprivate var isUndecided: Bool { if case .undecided = self { true } else { false } }
}
