import Crypto

/// The use cases of sign-in: getting, refreshing and revoking tokens.
public struct SessionDirectory: Sendable {
  /// The length of the refresh tokens' key in bytes.
  public static let keyLength = 32

  private let users: any UserRepository
  private let sessions: any SessionRepository
  private let attempts: PasswordAttempts
  private let hasher: any PasswordHasher
  private let issuer: any AccessTokenIssuer
  private let policy: SessionPolicy
  private let key: SymmetricKey
  private let clock: @Sendable () -> Timestamp
  /// The hash checked for an account without a password, so that the response takes as long. A hash with older
  /// parameters, or of another system, may take another time until its user signs in.
  private let decoy: PasswordHash

  /// Creates the use cases over a store, a hasher and an issuer of access tokens.
  ///
  /// - Parameters:
  ///   - attempts: counts wrong passwords, together with those of other use cases.
  ///   - key: the database's key for refresh tokens, ``keyLength`` bytes.
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

  /// Issues tokens to a caller that knows the password of the active user with this address.
  ///
  /// - Parameters:
  ///   - network: the caller's network, which has a failure count of its own.
  ///   - knownDevice: a refresh token from an earlier sign-in to this account, or empty. It may be expired, used or
  ///     revoked: it only shows that this device once knew the password. Such a device has a failure count of its own
  ///     and is not held up by others' failures. Any other text is ignored.
  ///   - requester: the caller that the password check is queued for.
  /// - Throws: `UserError.invalid` for text that is not an address or not a password; `.wrongCredentials`, the same for
  ///   every cause; `.tooManyAttempts` and `.signInDisabled`, whether or not the user exists; errors of the store and
  ///   the hasher.
  public func signIn(
    email: String, password: String, from network: PeerNetwork, knownDevice: String = "",
    for requester: HashRequester
  ) async throws(UserError) -> TokenPair {
    var collector = ViolationCollector()
    let address = collector.check { () throws(FieldViolation) in try EmailAddress(ofAccount: email) }
    let secret = collector.check { () throws(FieldViolation) in try Password(attempt: password) }
    try collector.throwIfAny()
    guard let address, let secret else { throw .invalid(collector.violations) }

    let user = try await users.credential(email: address)?.user.id
    let account = user.map { SignInAccount.user($0) } ?? .unknown(address)
    let source = try await device(knownDevice, of: user) ?? .network(network)
    // Storing the session resets the failure counts in the same transaction.
    return try await attempts.attempt(account, from: source, forgets: false) { () async throws(UserError) in
      try await signIn(address, secret, from: source, for: requester)
    }
  }

  /// Returns the device that received this refresh token by signing in to the account of `user`, or nil.
  private func device(_ text: String, of user: UserID?) async throws(UserError) -> SignInSource? {
    // A text that is not a token of this database proves nothing; the reason does not matter.
    guard !text.isEmpty, let token = try? RefreshToken(text, key: key),
      let owner = try await attempts.repository.deviceUser(token.session), owner == user
    else { return nil }
    return .device(token.session)
  }

  private func signIn(
    _ email: EmailAddress, _ password: Password, from source: SignInSource, for requester: HashRequester
  ) async throws(UserError) -> TokenPair {
    let credential = try await users.credential(email: email)
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

  /// Exchanges a refresh token for new tokens.
  ///
  /// - Throws: `UserError.unauthenticated`, and errors of the store.
  public func refresh(_ text: String) async throws(UserError) -> TokenPair {
    let token = try RefreshToken(text, key: key)
    let successor = token.successor(key: key)
    let now = clock()
    let (session, epoch) = try await sessions.refresh(
      SessionRefresh(
        session: token.session, presented: token.hash, successor: successor.hash, now: now, policy: policy))
    return try tokens(session, successor, epoch: epoch, now: now)
  }

  /// Ends the session of a refresh token, current or not.
  ///
  /// - Throws: `UserError.unauthenticated` for text that is not a refresh token of this service, and errors of the
  ///   store.
  public func revoke(_ text: String) async throws(UserError) {
    try await sessions.end(RefreshToken(text, key: key).session, now: clock())
  }

  /// Hashes the password with today's parameters, after the client has its response.
  ///
  /// If hashing fails, as under load or during a shutdown, the next sign-in tries again.
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

/// The tokens that a sign-in or a refresh returns. They never print themselves.
public struct TokenPair: Sendable, Redacted {
  /// The access token, a JWT.
  public let accessToken: String
  /// The time when the access token expires.
  public let accessTokenExpiresAt: Timestamp
  /// The refresh token: opaque, valid once.
  public let refreshToken: String
  /// The time when the refresh token expires.
  public let refreshTokenExpiresAt: Timestamp
}
