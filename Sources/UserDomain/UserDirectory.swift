/// The use cases: what a client may do with users. Takes text as clients send it, answers in domain types.
///
/// Every method validates its whole request before it does anything, and reports all violations together.
public struct UserDirectory: Sendable {
  /// Where the users are kept.
  public let repository: any UserRepository
  private let hasher: any PasswordHasher

  /// The use cases over a store and a hasher.
  public init(repository: any UserRepository, hasher: any PasswordHasher) {
    self.repository = repository
    self.hasher = hasher
  }

  /// The user with that id.
  ///
  /// - Throws: `UserError.invalid` for an empty id, `.notFound` for one that nobody has, `.storage`.
  public func user(id: String) throws(UserError) -> User {
    guard !id.isEmpty else { throw .invalid([.missingUserID]) }
    guard let userID = UserID(id), let user = try repository.user(id: userID) else { throw .notFound(id) }
    return user
  }

  /// Creates an active user. An empty password makes an account that cannot sign in by password.
  ///
  /// A request with an id that is made again within ``CreateRequest/memory`` returns what it returned first.
  ///
  /// - Throws: `UserError.invalid`, and what the hasher and `UserRepository.create` throw.
  public func createUser(
    email: String, name: String, password: String, requestID: String = "", for requester: HashRequester
  ) async throws(UserError) -> User {
    try await createUser(
      UserDraft(email: email, name: name, password: password, requestID: requestID), for: requester)
  }

  /// Creates the user of a draft, as the method above.
  ///
  /// - Throws: what the hasher and `UserRepository.create` throw; `UserError.invalid` if the request's id was used for
  ///   another.
  public func createUser(_ draft: UserDraft, for requester: HashRequester) async throws(UserError) -> User {
    let user = try await prepare(draft, for: requester)
    guard let id = draft.requestID else { return try await repository.create(user) }
    let creation = try await repository.create(CreateRequest(user, id: id))
    return try await confirm(creation, of: draft, for: requester)
  }

  /// The user that `draft` has made, now or when the same request was made before.
  ///
  /// - Throws: `UserError.invalid` if the request before had another password; what the hasher throws.
  public func confirm(
    _ creation: Creation, of draft: UserDraft, for requester: HashRequester
  ) async throws(UserError) -> User {
    guard let earlier = creation.earlier else { return creation.user }
    switch (draft.password, earlier.passwordHash) {
    case (nil, nil):
      return creation.user
    case (let password?, let hash?):
      if case .match = try await hasher.verify(password, against: hash, for: requester) {
        return creation.user
      }
    case (nil, _), (_, nil):
      break
    }
    throw .invalid([.requestIDUsed])
  }

  /// Hashes the draft's password, if it has one, so that the user can be stored.
  ///
  /// - Throws: what the hasher throws.
  public func prepare(_ draft: UserDraft, for requester: HashRequester) async throws(UserError) -> NewUser {
    var hash: PasswordHash?
    if let password = draft.password { hash = try await hasher.hash(password, for: requester) }
    return NewUser(email: draft.email, name: draft.name, passwordHash: hash)
  }

  /// Changes the fields that are not nil. An empty password removes it. `status` is a raw value of
  /// `UserStatus`. `authority` is that of the token which asks for it, or nil.
  ///
  /// - Throws: `UserError.invalid`, and what the hasher and `UserRepository.update` throw.
  public func updateUser(
    id: String, email: String? = nil, name: String? = nil, status: Int? = nil, password: String? = nil,
    by authority: WriteAuthority? = nil, for requester: HashRequester
  ) async throws(UserError) -> User {
    var collector = ViolationCollector()
    collector.check { () throws(FieldViolation) in if id.isEmpty { throw .missingUserID } }
    var changes = UserChanges()
    if let status {
      changes.status = collector.check { () throws(FieldViolation) in try UserStatus(checking: status) }
    }
    if let email { changes.email = collector.check { () throws(FieldViolation) in try EmailAddress(email) } }
    if let name { changes.name = collector.check { () throws(FieldViolation) in try UserName(name) } }
    var secret: Password?
    if let password, !password.isEmpty {
      secret = collector.check { () throws(FieldViolation) in try Password(password) }
    }
    try collector.throwIfAny()
    guard let userID = UserID(id) else { throw .notFound(id) }

    if let secret {
      // Hashing is the costly step: not for a user who is not there.
      _ = try user(id: id)
      changes.password = .replace(try await hasher.hash(secret, for: requester))
    } else if password != nil {
      changes.password = .remove
    }
    return try await repository.update(userID, changes, by: authority)
  }

  /// A listing of every user there is now, after the one with the id `after` (nil: from the first).
  ///
  /// - Throws: `UserError.storage`.
  public func listing(after: UserID? = nil, pageSize: Int) throws(UserError) -> UserListing {
    try UserListing(repository: repository, after: after, pageSize: pageSize)
  }
}

extension UserStatus {
  fileprivate init(checking rawValue: Int) throws(FieldViolation) {
    guard let status = UserStatus(rawValue: rawValue) else {
      throw FieldViolation(field: "status", reason: .outOfRange, description: "must be ACTIVE or INACTIVE")
    }
    self = status
  }
}

extension FieldViolation {
  static let missingUserID = FieldViolation(
    field: "user_id", reason: .required, description: "must not be empty")
}
