import Crypto

/// The use cases around signing in: what a client may do to get tokens, and to be rid of them.
public struct SessionDirectory: Sendable {
  /// Bytes of the key that refresh tokens are made with.
  public static let keyLength = 32

  private let users: any UserRepository
  private let sessions: any SessionRepository
  private let attempts: PasswordAttempts
  private let hasher: any PasswordHasher
  private let issuer: any AccessTokenIssuer
  private let policy: SessionPolicy
  private let key: SymmetricKey
  private let clock: @Sendable () -> Timestamp
  /// Checked where there is no hash to check against, so that the answer takes as long as for a hash with
  /// today's parameters. One with older parameters takes another time, until its user signs in.
  private let decoy: PasswordHash

  /// The use cases over a store, a hasher and an issuer of access tokens.
  ///
  /// - Parameters:
  ///   - attempts: counts wrong passwords, together with those of other use cases.
  ///   - key: what refresh tokens are made with, ``keyLength`` bytes, the database's own.
  public init(
    users: any UserRepository, sessions: any SessionRepository, attempts: PasswordAttempts,
    hasher: any PasswordHasher, issuer: any AccessTokenIssuer, key: [UInt8],
    policy: SessionPolicy = SessionPolicy(),
    clock: @escaping @Sendable () -> Timestamp = { .now }
  ) {
    self.users = users
    self.sessions = sessions
    self.attempts = attempts
    self.hasher = hasher
    self.issuer = issuer
    self.policy = policy
    self.key = SymmetricKey(data: key)
    self.clock = clock
    decoy = hasher.decoy
  }

  /// Tokens for the caller who knows the password of the active user with that address.
  ///
  /// - Parameters:
  ///   - network: where the caller is: failures are counted for each network by itself.
  ///   - knownDevice: a refresh token that the caller was given at an earlier sign-in to this account, or empty. It may
  ///     have expired, been used or been revoked: it only shows that this device knew the password once, so that it has
  ///     a count of its own and is not held up by others' failures. Any other text counts for nothing.
  ///   - requester: whose turn the password's check takes.
  /// - Throws: `UserError.invalid` for text that is not an address or not a password; `.wrongCredentials`, for every
  ///   reason alike; `.tooManyAttempts` and `.signInDisabled`, whether or not there is such a user; and what the store
  ///   and the hasher throw.
  public func signIn(
    email: String, password: String, from network: PeerNetwork, knownDevice: String = "",
    for requester: HashRequester
  ) async throws(UserError) -> TokenPair {
    var collector = ViolationCollector()
    let address = collector.check { () throws(FieldViolation) in try EmailAddress(ofAccount: email) }
    let secret = collector.check { () throws(FieldViolation) in try Password(attempt: password) }
    try collector.throwIfAny()
    guard let address, let secret else { throw .invalid(collector.violations) }

    let user = try users.credential(email: address)?.user.id
    let account = user.map { SignInAccount.user($0) } ?? .unknown(address)
    let source = try device(knownDevice, of: user) ?? .network(network)
    // A session that is stored has the failures before it forgotten, in the same transaction.
    return try await attempts.attempt(account, from: source, forgets: false) { () async throws(UserError) in
      try await signIn(address, secret, from: source, for: requester)
    }
  }

  /// The device that has signed in to the account of `user` and was given that refresh token, or nil.
  private func device(_ text: String, of user: UserID?) throws(UserError) -> SignInSource? {
    // What is not a token of this database shows nothing, and why it is not is of no concern.
    guard !text.isEmpty, let token = try? RefreshToken(text, key: key),
      let owner = try attempts.repository.deviceUser(token.session), owner == user
    else { return nil }
    return .device(token.session)
  }

  private func signIn(
    _ email: EmailAddress, _ password: Password, from source: SignInSource, for requester: HashRequester
  ) async throws(UserError) -> TokenPair {
    let credential = try users.credential(email: email)
    let verification = try await hasher.verify(
      password, against: credential?.passwordHash ?? decoy, for: requester)
    guard case .match(let needsRehash) = verification, let credential, let hash = credential.passwordHash,
      credential.user.status == .active
    else { throw .wrongCredentials }

    let now = clock()
    let token = RefreshToken(session: .random(), key: key)
    let session = Session(
      id: token.session, userID: credential.user.id, tokenHash: token.hash, now: now, policy: policy)
    try await sessions.create(session, epoch: credential.epoch, from: source)
    if needsRehash { upgrade(hash, of: credential.user.id, password, for: requester.inBackground) }
    return try tokens(session, token, epoch: credential.epoch, now: now)
  }

  /// New tokens for a refresh token.
  ///
  /// - Throws: `UserError.unauthenticated`, and what the store throws.
  public func refresh(_ text: String) async throws(UserError) -> TokenPair {
    let token = try RefreshToken(text, key: key)
    let successor = token.successor(key: key)
    let now = clock()
    let (session, epoch) = try await sessions.refresh(
      SessionRefresh(
        session: token.session, presented: token.hash, successor: successor.hash, now: now, policy: policy))
    return try tokens(session, successor, epoch: epoch, now: now)
  }

  /// Ends the session of a refresh token, be it the newest or not.
  ///
  /// - Throws: `UserError.unauthenticated` for what is no refresh token of this service, and what the store
  ///   throws.
  public func revoke(_ text: String) async throws(UserError) {
    try await sessions.end(RefreshToken(text, key: key).session, now: clock())
  }

  /// Makes a new hash with today's parameters, while the client has its answer already.
  ///
  /// When that fails, as it does under load or while the service stops, the next sign-in tries again.
  private func upgrade(
    _ hash: PasswordHash, of user: UserID, _ password: Password, for requester: HashRequester
  ) {
    Task {
      let new = try await hasher.hash(password, for: requester)
      try await sessions.upgrade(hash, to: new, of: user)
    }
  }

  private func tokens(
    _ session: Session, _ refreshToken: RefreshToken, epoch: Int64, now: Timestamp
  ) throws(UserError) -> TokenPair {
    let expiresAt = min(now + policy.accessLifetime, session.expiresAt)
    let claims = AccessTokenClaims(
      principal: Principal(subject: session.userID.description, scopes: []), issuedAt: now,
      expiresAt: expiresAt, session: session.id, epoch: epoch)
    return TokenPair(
      accessToken: try issuer.issue(claims), accessTokenExpiresAt: expiresAt, refreshToken: refreshToken.text,
      refreshTokenExpiresAt: session.keptUntil)
  }
}

/// What a sign-in or a refresh gives. It does not print its tokens.
public struct TokenPair: Sendable {
  /// A JWT.
  public let accessToken: String
  /// When it is no good any more.
  public let accessTokenExpiresAt: Timestamp
  /// Opaque, good once.
  public let refreshToken: String
  /// When it is no good any more.
  public let refreshTokenExpiresAt: Timestamp
}

extension TokenPair: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// A placeholder: tokens are never printed.
  public var description: String { "<tokens>" }
  /// A placeholder: tokens are never printed.
  public var debugDescription: String { description }
  /// Empty, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
