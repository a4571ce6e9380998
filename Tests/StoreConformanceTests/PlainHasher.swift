import UserDomain

/// A hasher whose hashes can be read.
struct PlainHasher: PasswordHasher {
  func hash(_ password: Password, for requester: HashRequester) async throws(UserError) -> PasswordHash {
    PasswordHash(phcString: "plain:\(password.normalized)")
  }

  func verify(
    _ password: Password, against hash: PasswordHash, for requester: HashRequester
  ) async throws(UserError) -> PasswordVerification {
    hash.phcString == "plain:\(password.normalized)" ? .match(needsRehash: false) : .mismatch
  }

  func accept(foreign text: String) throws(FieldViolation) -> PasswordHash { PasswordHash(phcString: text) }

  var decoy: PasswordHash { PasswordHash(phcString: "decoy") }
}
