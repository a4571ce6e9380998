/// The proof that the caller of a request may change an address or a password, or delete a user.
///
/// A leaked access token must not be enough to take over or to destroy the account: a user that does either gives the
/// current password. A caller with `users:write` needs no proof.
public struct PasswordProof: Sendable, Redacted {
  /// The current password in the request, or nil. If given, it is checked even when not required.
  public let currentPassword: String?
  /// Whether a protected change requires it.
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
  /// Checks the current password of `user`, if given, or if a protected change requires it. Returns the hash that it
  /// matches, which the change depends on; nil if none was given.
  func prove(
    _ current: Password?, of user: User, _ proof: PasswordProof?, isProtected: Bool,
    for requester: HashRequester
  ) async throws(UserError) -> PasswordHash? {
    guard let proof else { return nil }
    guard let current else {
      if proof.isRequired, isProtected { throw .currentPasswordRequired }
      return nil
    }
    var proven: PasswordHash?
    do {
      try await attempt(on: user.id, from: proof.network) { () async throws(UserError) in
        // Read again: the attempt may have waited for others. A user without a password has no correct one.
        guard let hash = try await repository.passwordHash(of: user.id),
          case .match = try await hasher.verify(current, against: hash, for: requester)
        else { throw .wrongCredentials }
        proven = hash
      }
    } catch .wrongCredentials {
      throw .wrongCurrentPassword
    }
    return proven
  }

  /// Performs a change of `user` that depends on a proven password. A sign-in may have replaced the hash by a newer one of
  /// the same password meanwhile; then it is proven once more.
  func change(
    _ user: User, _ write: UserWrite, _ current: Password?, _ proof: PasswordProof?,
    for requester: HashRequester,
    _ store: (UserWrite) async throws(UserError) -> User
  ) async throws(UserError) -> User {
    do throws(UserError) {
      return try await store(write)
    } catch {
      guard case .wrongCurrentPassword = error, write.provenHash != nil else { throw error }
      var write = write
      write.provenHash = try await prove(current, of: user, proof, isProtected: true, for: requester)
      return try await store(write)
    }
  }
}
