/// The deletion of one user as a client asks for it.
public struct UserDeletionRequest: Sendable {
  /// The etag of the version that the user must have; empty: any.
  public var etag = ""
  /// Whether the user is erased at once, also if it is already deleted.
  public var expunges = false
  /// Whether a user that is already deleted is returned as it is instead of not found.
  public var allowsMissing = false

  /// Creates a request to delete a user that can be undeleted.
  public init(etag: String = "", expunges: Bool = false, allowsMissing: Bool = false) {
    self.etag = etag
    self.expunges = expunges
    self.allowsMissing = allowsMissing
  }
}

extension UserDirectory {
  /// Deletes a user, and returns it as deleted.
  ///
  /// - Parameters:
  ///   - proof: the current password, and whether it is required; nil for a trusted caller.
  ///   - isOnlyChecked: whether nothing is stored. The user is returned as it is then.
  /// - Throws: `UserError.invalid`, `.currentPasswordRequired`, `.wrongCurrentPassword`, `.tooManyAttempts`,
  ///   `.signInDisabled`, errors of the hasher and of `UserRepository.delete`.
  public func deleteUser(
    _ reference: UserReference, _ request: UserDeletionRequest = UserDeletionRequest(),
    isOnlyChecked: Bool = false,
    by authority: WriteAuthority? = nil, proof: PasswordProof? = nil, for requester: HashRequester
  ) async throws(UserError) -> User {
    var collector = ViolationCollector()
    let version = collector.reference(reference, etag: request.etag)
    let current = proof?.currentPassword.flatMap { collector.currentPassword($0) }
    try collector.throwIfAny()
    guard let id = reference.id else { throw .notFound(reference.text) }
    let removal: UserRemoval =
      request.expunges ? .expunge : .soft(retention: retention, allowsDeleted: request.allowsMissing)
    var write = UserWrite(version: version, by: authority)
    if isOnlyChecked || proof != nil {
      let user = try await user(id, reference, showsDeleted: request.expunges || request.allowsMissing)
      let isMissing = user.deletion != nil && !request.expunges
      if !isMissing, let version, version != user.version { throw .versionMismatch }
      write.provenHash = try await prove(current, of: user, proof, isProtected: true, for: requester)
      if isOnlyChecked { return user }
      return try await change(user, write, current, proof, for: requester) {
        (write) async throws(UserError) in try await repository.delete(id, removal, write)
      }
    }
    return try await repository.delete(id, removal, write)
  }

  /// Makes a deleted user one that is not, and returns it. If it `isOnlyChecked`, nothing is stored, and the user is
  /// returned as it is.
  ///
  /// - Throws: `UserError.invalid`, and the errors of `UserRepository.undelete`.
  public func undeleteUser(
    _ reference: UserReference, etag: String = "", isOnlyChecked: Bool = false,
    by authority: WriteAuthority? = nil
  ) async throws(UserError) -> User {
    var collector = ViolationCollector()
    let version = collector.reference(reference, etag: etag)
    try collector.throwIfAny()
    guard let id = reference.id else { throw .notFound(reference.text) }
    guard isOnlyChecked else {
      return try await repository.undelete(id, UserWrite(version: version, by: authority))
    }
    let user = try await user(id, reference, showsDeleted: true)
    if user.deletion == nil { throw .notDeleted }
    if let version, version != user.version { throw .versionMismatch }
    return user
  }

  private func user(
    _ id: UserID, _ reference: UserReference, showsDeleted: Bool
  ) async throws(UserError) -> User {
    var user: User?
    _ = try await repository.readUser(id: id, showsDeleted: showsDeleted) {
      user = User($0, email: $1, name: $2)
    }
    guard let user else { throw .notFound(reference.text) }
    return user
  }
}

extension ViolationCollector {
  /// Checks what names a user and its version.
  fileprivate mutating func reference(_ reference: UserReference, etag: String) -> UserVersion? {
    check { () throws(FieldViolation) in if reference.text.isEmpty { throw .missingUserID } }
    return version(etag)
  }
}
