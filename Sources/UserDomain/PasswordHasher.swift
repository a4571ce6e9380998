/// Turns passwords into hashes and checks them, away from the caller's thread and within bounds of its own.
///
/// Work whose task is cancelled before it begins is not done. Callers are served in turn, as ``HashRequester`` says.
public protocol PasswordHasher: Sendable {
  /// Hashes `password` with a fresh random salt.
  ///
  /// - Throws: `UserError.overloaded`, `.cancelled`, `.passwordHashing`.
  func hash(_ password: Password, for requester: HashRequester) async throws(UserError) -> PasswordHash

  /// Checks `password` against `hash`, in a time that does not depend on where they differ.
  ///
  /// - Throws: `UserError.overloaded`, `.cancelled`, `.passwordHashing`.
  func verify(
    _ password: Password, against hash: PasswordHash, for requester: HashRequester
  ) async throws(UserError) -> PasswordVerification

  /// A hash that is no password's. To check it takes as long as to check one that is made today.
  var decoy: PasswordHash { get }
}

/// The outcome of a password check.
public enum PasswordVerification: Hashable, Sendable {
  /// The password is not the one that was hashed.
  case mismatch
  /// The password is right. `needsRehash` tells that the hash was made with other parameters than today's.
  case match(needsRehash: Bool)
}
