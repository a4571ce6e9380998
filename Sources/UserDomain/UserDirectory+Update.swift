/// How the caller of an update shows that it may change an address or a password.
///
/// An access token that leaks must not become the account, so a user who changes either gives the current password.
/// A caller who may change every user needs none.
public struct PasswordProof: Sendable {
  /// The current password as the request has it, or nil. One that is given is checked, needed or not.
  public let currentPassword: String?
  /// Whether a change of the address or password needs it.
  public let isRequired: Bool
  /// Where the request comes from: a wrong password counts as a sign-in that has failed.
  public let network: PeerNetwork

  /// A proof.
  public init(currentPassword: String?, isRequired: Bool, network: PeerNetwork) {
    self.currentPassword = currentPassword
    self.isRequired = isRequired
    self.network = network
  }

  static let field = "current_password"
}

extension UserDirectory {
  /// Changes the fields that are not nil. An empty password removes it. `status` is a raw value of
  /// `UserStatus`. `authority` is that of the token which asks for it, or nil.
  ///
  /// - Parameter proof: the current password, and whether it is needed; nil for a trusted caller.
  /// - Throws: `UserError.invalid`; `.currentPasswordRequired`, `.wrongCurrentPassword`, `.tooManyAttempts` and
  ///   `.signInDisabled` of the current password; what the hasher and `UserRepository.update` throw.
  public func updateUser(
    _ reference: UserReference, email: String? = nil, name: String? = nil, status: Int? = nil, password: String? = nil,
    by authority: WriteAuthority? = nil, proof: PasswordProof? = nil,
    for requester: HashRequester
  ) async throws(UserError) -> User {
    var collector = ViolationCollector()
    collector.check { () throws(FieldViolation) in if reference.text.isEmpty { throw .missingUserID } }
    var changes = UserChanges()
    if let status {
      changes.status = collector.check { () throws(FieldViolation) in try UserStatus(checking: status) }
    }
    if let email { changes.email = collector.check { () throws(FieldViolation) in try EmailAddress(email) } }
    if let name { changes.name = collector.check { () throws(FieldViolation) in try UserName(name) } }
    var secret: Password?
    if let password, !password.isEmpty {
      secret = collector.check { () throws(FieldViolation) in
        try passwordPolicy.check(password, email: changes.email, name: changes.name)
      }
    }
    let given = proof?.currentPassword
    let current = given.flatMap { text in
      collector.check { () throws(FieldViolation) in try Password(attempt: text, field: PasswordProof.field) }
    }
    try collector.throwIfAny()
    guard let id = reference.id else { throw .notFound(reference.text) }

    if password != nil || email != nil || current != nil {
      // Hashing is the costly step: not for a user who is not there.
      let user = try user(reference)
      if let secret { try check(secret, of: user) }
      let isProtected = password != nil || changes.email.map { $0.address != user.email.address } ?? false
      try await prove(current, of: user, proof, isProtected: isProtected, for: requester)
    }
    if let secret {
      changes.password = .replace(try await hasher.hash(secret, for: requester))
    } else if password != nil {
      changes.password = .remove
    }
    return try await repository.update(id, changes, by: authority)
  }

  /// Checks a new password against the address and the name that its user has.
  private func check(_ password: Password, of user: User) throws(UserError) {
    do {
      try passwordPolicy.check(password, email: user.email, name: user.name)
    } catch {
      throw .invalid([error])
    }
  }

  /// Checks the current password of `user`, if one is given, or needed for a change that is protected by it.
  private func prove(
    _ current: Password?, of user: User, _ proof: PasswordProof?, isProtected: Bool,
    for requester: HashRequester
  ) async throws(UserError) {
    guard let proof else { return }
    guard let current else {
      if proof.isRequired, isProtected { throw .currentPasswordRequired }
      return
    }
    do {
      try await attempt(on: user.id, from: proof.network) { () async throws(UserError) in
        // As it is now: it may have waited for other attempts. A user without a password has none that is right.
        let credential = try repository.credential(email: user.email)
        guard let hash = credential?.passwordHash, credential?.user.id == user.id,
          case .match = try await hasher.verify(current, against: hash, for: requester)
        else { throw .wrongCredentials }
      }
    } catch .wrongCredentials {
      throw .wrongCurrentPassword
    }
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
