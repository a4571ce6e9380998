/// The use cases of users. They take text as clients send it, and return domain types.
///
/// Every method validates its whole request before it does anything, and reports all violations together.
public struct UserDirectory: Sendable {
  /// The store of the users.
  public let repository: any UserRepository
  /// The look-ups of single users that never wait; nil if those of the store may.
  public let immediateLookups: ImmediateUserLookups?
  /// The rules for new passwords.
  public let passwordPolicy: PasswordPolicy
  let hasher: any PasswordHasher
  /// How long deleted users are retained.
  let retention: Duration
  private let attempts: PasswordAttempts?

  /// Creates the use cases over a store and a hasher.
  ///
  /// - Parameters:
  ///   - passwordPolicy: the rules for new passwords.
  ///   - retention: how long deleted users are retained.
  ///   - attempts: counts wrong passwords, together with those of sign-ins; nil does not count, for programs with
  ///     trusted callers.
  public init(
    repository: any UserRepository, hasher: any PasswordHasher,
    passwordPolicy: PasswordPolicy = PasswordPolicy(), retention: Duration = UserDeletion.defaultRetention,
    attempts: PasswordAttempts? = nil
  ) {
    self.retention = retention
    self.repository = repository
    // Once, because a cast costs more than a read.
    immediateLookups = (repository as? any ImmediateUserReads).map { ImmediateUserLookups($0) }
    self.hasher = hasher
    self.passwordPolicy = passwordPolicy
    self.attempts = attempts
  }

  /// Returns the user that a request names.
  ///
  /// - Throws: the errors of ``readUser(_:showsDeleted:_:)``.
  public func user(_ reference: UserReference) async throws(UserError) -> User {
    var user: User?
    try await readUser(reference) { user = User($0, email: $1, name: $2) }
    guard let user else { throw .notFound(reference.text) }
    return user
  }

  /// Calls `body`, once, with the user that a request names. Errors are thrown before the call.
  ///
  /// - Throws: `UserError.invalid` for an empty text, `.notFound` for text that is not a user's id, and for a deleted user
  ///   unless `showsDeleted`; errors of the store.
  public func readUser(
    _ reference: UserReference, showsDeleted: Bool = false, _ body: UserReader
  ) async throws(UserError) {
    if let id = reference.id, try await repository.readUser(id: id, showsDeleted: showsDeleted, body) {
      return
    }
    throw reference.notFound
  }

  /// Calls `body` with the user that has the address `email`. Returns false if no user has it, or if the user is deleted
  /// and `showsDeleted` is false.
  ///
  /// - Throws: `UserError.invalid` for text that is not an address; errors of the store.
  public func readUser(
    email: String, showsDeleted: Bool = false, _ body: UserReader
  ) async throws(UserError) -> Bool {
    if try await repository.readUser(email: EmailAddress(trusted: email), showsDeleted: showsDeleted, body) {
      return true
    }
    guard let address = try EmailAddress.other(than: email) else { return false }
    return try await repository.readUser(email: address, showsDeleted: showsDeleted, body)
  }

  /// Creates an active user. An empty password makes an account that cannot sign in by password.
  ///
  /// A request with an id is idempotent: a retry within ``CreateRequest/retention`` returns the user that the first
  /// call created.
  ///
  /// - Parameter network: the caller's network; nil for a trusted caller, whose passwords are not counted.
  /// - Throws: `UserError.invalid`, and the errors of ``createUser(_:from:for:)``.
  public func createUser(
    email: String, name: String, password: String, requestID: String = "", labels: [String: String] = [:],
    from network: PeerNetwork? = nil, for requester: HashRequester
  ) async throws(UserError) -> User {
    let draft = try UserDraft(
      email: email, name: name, password: password, requestID: requestID, labels: labels,
      policy: passwordPolicy)
    return try await createUser(draft, from: network, for: requester)
  }

  /// Creates the user of a draft, as the method above does.
  ///
  /// - Throws: the errors of the hasher, of `UserRepository.create` and of ``confirm(_:of:from:for:)``.
  public func createUser(
    _ draft: UserDraft, from network: PeerNetwork? = nil, for requester: HashRequester
  ) async throws(UserError) -> User {
    let user = try await prepare(draft, for: requester)
    guard let id = draft.requestID else { return try await repository.create(user) }
    return try await createUser(CreateRequest(user, id: id), of: draft, from: network, for: requester)
  }

  // Not inlined: its large frame would be one of every creation.
  @inline(never)
  private func createUser(
    _ request: CreateRequest, of draft: UserDraft, from network: PeerNetwork?, for requester: HashRequester
  ) async throws(UserError) -> User {
    let creation = try await repository.create(request)
    return try await confirm(creation, of: draft, from: network, for: requester)
  }

  /// Returns the user that `draft` created, now or in an earlier call of the same request.
  ///
  /// The outcome reveals whether the draft's password is the user's. So it counts as an attempt on that password from
  /// `network`; nil for a trusted caller.
  ///
  /// - Throws: `UserError.invalid` if the earlier request had another password; `.tooManyAttempts` and
  ///   `.signInDisabled` as for a sign-in; errors of the hasher.
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

  /// Runs `check`, and counts it if it comes from a network.
  func attempt(
    on user: UserID, from network: PeerNetwork?, _ check: () async throws(UserError) -> Void
  ) async throws(UserError) {
    guard let attempts, let network else { return try await check() }
    try await attempts.attempt(.user(user), from: .network(network), check)
  }

  /// Hashes the draft's password, if any, so that the user can be stored.
  ///
  /// - Throws: errors of the hasher.
  public func prepare(
    _ draft: UserDraft, for requester: HashRequester
  ) async throws(UserError) -> NewUser {
    var hash: PasswordHash?
    if let password = draft.password { hash = try await hasher.hash(password, for: requester) }
    return NewUser(email: draft.email, name: draft.name, passwordHash: hash, labels: draft.labels)
  }

  /// Returns a listing of the current users that `query` is about, beginning after `after` (nil: at the first).
  ///
  /// - Throws: `UserError.invalid` for a position of another order, and errors of the store.
  public func listing(
    _ query: UserQuery = UserQuery(), after: ListingPosition? = nil, pageSize: Int
  ) async throws(UserError) -> UserListing {
    try await UserListing(repository: repository, query: query, after: after, pageSize: pageSize)
  }
}

extension EmailAddress {
  /// Returns the address that `text` is with white space around it; nil if the text itself is the address.
  ///
  /// - Throws: `UserError.invalid` for text that is not an address.
  static func other(than text: String) throws(UserError) -> EmailAddress? {
    do throws(FieldViolation) {
      let address = try EmailAddress(ofAccount: text)
      return address.address == text ? nil : address
    } catch {
      throw .invalid([error])
    }
  }
}

extension FieldViolation {
  static let missingUserID = FieldViolation(
    field: "user_id", reason: .required, description: "must not be empty")
}
