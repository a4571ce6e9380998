/// Turns passwords into hashes and checks them, away from the caller's thread and within bounds of its own.
public protocol PasswordHasher: Sendable {
  /// Hashes `password` with a fresh random salt.
  ///
  /// - Parameter deadline: when nobody waits for the answer any more; nil for never.
  /// - Throws: `UserError.overloaded`, `.deadlineExceeded`, `.cancelled`, `.passwordHashing`.
  func hash(_ password: Password, deadline: ContinuousClock.Instant?) async throws(UserError) -> PasswordHash

  /// Checks `password` against `hash`, in a time that does not depend on where they differ.
  ///
  /// - Parameter deadline: when nobody waits for the answer any more; nil for never.
  /// - Throws: `UserError.overloaded`, `.deadlineExceeded`, `.cancelled`, `.passwordHashing`.
  func verify(
    _ password: Password, against hash: PasswordHash, deadline: ContinuousClock.Instant?
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
