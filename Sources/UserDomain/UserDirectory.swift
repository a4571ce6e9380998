/// The use cases: what a client may do with users. Takes text as clients send it, answers in domain types.
///
/// Every method validates its whole request before it does anything, and reports all violations together.
public struct UserDirectory: Sendable {
  /// Where the users are kept.
  public let repository: any UserRepository
  /// What a new password has to be.
  public let passwordPolicy: PasswordPolicy
  let hasher: any PasswordHasher
  private let attempts: PasswordAttempts?

  /// The use cases over a store and a hasher.
  ///
  /// - Parameters:
  ///   - passwordPolicy: what a new password has to be.
  ///   - attempts: counts wrong passwords, together with those of sign-ins; nil counts none, for programs whose callers
  ///     are trusted.
  public init(
    repository: any UserRepository, hasher: any PasswordHasher,
    passwordPolicy: PasswordPolicy = PasswordPolicy(), attempts: PasswordAttempts? = nil
  ) {
    self.repository = repository
    self.hasher = hasher
    self.passwordPolicy = passwordPolicy
    self.attempts = attempts
  }

  /// The user that a request names.
  ///
  /// - Throws: what ``readUser(_:_:)`` throws.
  public func user(_ reference: UserReference) throws(UserError) -> User {
    var user: User?
    try readUser(reference) { user = User($0, email: $1, name: $2) }
    guard let user else { throw .notFound(reference.text) }
    return user
  }

  /// Calls `body`, once, with the user that a request names. It throws before that, or not at all.
  ///
  /// - Throws: `UserError.invalid` for an empty text, `.notFound` for one that is no user's id, `.storage`.
  public func readUser(_ reference: UserReference, _ body: UserReader) throws(UserError) {
    if let id = reference.id, try repository.readUser(id: id, body) { return }
    throw reference.text.isEmpty ? .invalid([.missingUserID]) : .notFound(reference.text)
  }

  /// Creates an active user. An empty password makes an account that cannot sign in by password.
  ///
  /// A request with an id that is made again within ``CreateRequest/memory`` returns what it returned first.
  ///
  /// - Parameter network: where the request comes from; nil for a trusted caller, whose passwords are not counted.
  /// - Throws: `UserError.invalid`, and what ``createUser(_:from:for:)`` throws.
  public func createUser(
    email: String, name: String, password: String, requestID: String = "", from network: PeerNetwork? = nil,
    for requester: HashRequester
  ) async throws(UserError) -> User {
    let draft = try UserDraft(
      email: email, name: name, password: password, requestID: requestID, policy: passwordPolicy)
    return try await createUser(draft, from: network, for: requester)
  }

  /// Creates the user of a draft, as the method above.
  ///
  /// - Throws: what the hasher and `UserRepository.create` throw, and ``confirm(_:of:from:for:)``.
  public func createUser(
    _ draft: UserDraft, from network: PeerNetwork? = nil, for requester: HashRequester
  ) async throws(UserError) -> User {
    let user = try await prepare(draft, for: requester)
    guard let id = draft.requestID else { return try await repository.create(user) }
    let creation = try await repository.create(CreateRequest(user, id: id))
    return try await confirm(creation, of: draft, from: network, for: requester)
  }

  /// The user that `draft` has made, now or when the same request was made before.
  ///
  /// The answer tells whether the draft's password is the user's, so it counts as an attempt on it from `network`; nil
  /// for a trusted caller.
  ///
  /// - Throws: `UserError.invalid` if the request before had another password; `.tooManyAttempts` and `.signInDisabled`
  ///   as a sign-in; what the hasher throws.
  public func confirm(
    _ creation: Creation, of draft: UserDraft, from network: PeerNetwork? = nil,
    for requester: HashRequester
  ) async throws(UserError) -> User {
    guard let earlier = creation.earlier else { return creation.user }
    switch (draft.password, earlier.passwordHash) {
    case (nil, nil):
      return creation.user
    case (let password?, let hash?):
      do {
        try await attempt(on: creation.user.id, from: network) { () async throws(UserError) in
          guard case .match = try await hasher.verify(password, against: hash, for: requester) else {
            throw .wrongCredentials
          }
        }
        return creation.user
      } catch .wrongCredentials {
        break
      }
    case (nil, _), (_, nil):
      break
    }
    throw .invalid([.requestIDUsed])
  }

  /// Runs `check`, counted if the attempt comes from a network.
  func attempt(
    on user: UserID, from network: PeerNetwork?, _ check: () async throws(UserError) -> Void
  ) async throws(UserError) {
    guard let attempts, let network else { return try await check() }
    try await attempts.attempt(.user(user), from: .network(network), check)
  }

  /// Hashes the draft's password, if it has one, so that the user can be stored.
  ///
  /// - Throws: what the hasher throws.
  public func prepare(
    _ draft: UserDraft, for requester: HashRequester
  ) async throws(UserError) -> NewUser {
    var hash: PasswordHash?
    if let password = draft.password { hash = try await hasher.hash(password, for: requester) }
    return NewUser(email: draft.email, name: draft.name, passwordHash: hash)
  }

  /// A listing of every user there is now, after the one with the id `after` (nil: from the first).
  ///
  /// - Throws: `UserError.storage`.
  public func listing(after: UserID? = nil, pageSize: Int) throws(UserError) -> UserListing {
    try UserListing(repository: repository, after: after, pageSize: pageSize)
  }
}

extension FieldViolation {
  static let missingUserID = FieldViolation(
    field: "user_id", reason: .required, description: "must not be empty")
}
