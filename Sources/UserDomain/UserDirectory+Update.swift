/// The proof that the caller of an update may change an address or a password.
///
/// A leaked access token must not be enough to take over the account: a user that changes either gives the current
/// password. A caller with `users:write` needs no proof.
public struct PasswordProof: Sendable {
  /// The current password in the request, or nil. If given, it is checked even when not required.
  public let currentPassword: String?
  /// Whether a change of the address or password requires it.
  public let isRequired: Bool
  /// The network of the request. A wrong password counts as a failed sign-in.
  public let network: PeerNetwork

  /// Creates a proof.
  public init(currentPassword: String?, isRequired: Bool, network: PeerNetwork) {
    self.currentPassword = currentPassword
    self.isRequired = isRequired
    self.network = network
  }

  static let field = "current_password"
}

extension UserDirectory {
  /// Changes the fields that are not nil. An empty password removes the password. `status` is a raw value of
  /// `UserStatus`. `authority` is that of the call's token, or nil.
  ///
  /// - Parameter proof: the current password, and whether it is required; nil for a trusted caller.
  /// - Throws: `UserError.invalid`; `.currentPasswordRequired`, `.wrongCurrentPassword`, `.tooManyAttempts` and
  ///   `.signInDisabled` about the current password; errors of the hasher and of `UserRepository.update`.
  public func updateUser(
    _ reference: UserReference, email: String? = nil, name: String? = nil, status: Int? = nil,
    password: String? = nil,
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
      // Hashing is expensive, so the user must exist.
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

  /// Checks a new password against the user's stored address and name.
  private func check(_ password: Password, of user: User) throws(UserError) {
    do {
      try passwordPolicy.check(password, email: user.email, name: user.name)
    } catch {
      throw .invalid([error])
    }
  }

  /// Checks the current password of `user`, if given, or if a protected change requires it.
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
        // Read again: the attempt may have waited for others. A user without a password has no correct one.
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
