/// Hashes and checks passwords, off the caller's thread and within limits of its own.
///
/// Work whose task is cancelled before it begins is skipped. Callers are served in turn, as ``HashRequester``
/// describes.
public protocol PasswordHasher: Sendable {
  /// Hashes `password` with a fresh random salt.
  ///
  /// - Throws: `UserError.overloaded`, `.cancelled`, `.passwordHashing`.
  func hash(_ password: Password, for requester: HashRequester) async throws(UserError) -> PasswordHash

  /// Checks the text of a hash that another system has made, without a password.
  ///
  /// - Throws: a violation of `PasswordHash.field`: malformed for an unknown format, or for text that does not follow its
  ///   format; out of range for a cost that the hasher does not compute for others.
  func accept(foreign text: String) throws(FieldViolation) -> PasswordHash

  /// Checks `password` against `hash`, in a time that does not depend on where they differ.
  ///
  /// - Throws: `UserError.overloaded`, `.cancelled`, `.passwordHashing`.
  func verify(
    _ password: Password, against hash: PasswordHash, for requester: HashRequester
  ) async throws(UserError) -> PasswordVerification

  /// A hash that matches no password. Checking it takes as long as checking a hash made today.
  var decoy: PasswordHash { get }
}

/// The outcome of a password check.
public enum PasswordVerification: Hashable, Sendable {
  /// The password does not match the hash.
  case mismatch
  /// The password matches. `needsRehash` is true if the hash was made by another system, or with other parameters than
  /// today's. It is false, and the hash must be kept, if a part of the password did not count: the original password may
  /// differ in that part.
  case match(needsRehash: Bool)
}
