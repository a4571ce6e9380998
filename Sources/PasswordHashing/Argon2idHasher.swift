import Primitives
public import UserDomain

/// Argon2id (RFC 9106) through libargon2, on a bounded pool of threads.
public final class Argon2idHasher: PasswordHasher {
  private let parameters: Argon2Parameters
  private let pool: HashingPool

  /// Creates a hasher that makes new hashes with `parameters` and works within `limits`.
  ///
  /// - Throws: `Argon2ParameterError` if one hash would not fit in the memory budget.
  public convenience init(
    parameters: Argon2Parameters = .recommended, limits: HashingLimits = HashingLimits()
  ) throws(Argon2ParameterError) {
    guard parameters.memoryBytes <= limits.memoryBudget else {
      throw Argon2ParameterError(
        description: """
          argon2: one hash takes \(parameters.memoryBytes) bytes, more than the memory budget of \
          \(limits.memoryBudget)
          """)
    }
    self.init(parameters: parameters, pool: HashingPool(limits: limits))
  }

  init(parameters: Argon2Parameters, pool: HashingPool) {
    self.parameters = parameters
    self.pool = pool
  }

  /// The number of hashes waiting for a thread or for memory.
  public var waitingCount: Int { pool.waitingCount }

  public func hash(
    _ password: Password, for requester: HashRequester
  ) async throws(UserError) -> PasswordHash {
    let outcome = try await pool.run(memory: parameters.memoryBytes, for: requester) {
      [parameters, salt = SystemRandom.bytes(Argon2Parameters.saltLength)] in
      Result { () throws(Argon2.Failure) in
        try Argon2.hash(
          password.normalized, salt: salt, parameters: parameters, tagLength: Argon2Parameters.tagLength)
      }
    }
    return PasswordHash(phcString: try Self.unwrap(outcome))
  }

  public func verify(
    _ password: Password, against hash: PasswordHash, for requester: HashRequester
  ) async throws(UserError) -> PasswordVerification {
    guard let stored = PHCString(hash.phcString) else {
      throw .passwordHashing("the stored hash is not an Argon2id PHC string within bounds")
    }
    let outcome = try await pool.run(memory: stored.parameters.memoryBytes, for: requester) {
      Result { () throws(Argon2.Failure) in
        try Argon2.verify(password.normalized, encoded: hash.phcString)
      }
    }
    return try Self.unwrap(outcome) ? .match(needsRehash: needsRehash(stored)) : .mismatch
  }

  public var decoy: PasswordHash {
    // A random tag of 256 bits matches no password.
    PasswordHash(
      phcString: PHCString.text(
        parameters, salt: SystemRandom.bytes(Argon2Parameters.saltLength),
        tag: SystemRandom.bytes(Argon2Parameters.tagLength)))
  }

  /// Returns whether a hash was made with other parameters than this hasher's.
  ///
  /// Also true for text that is not an Argon2id hash.
  public func needsRehash(_ hash: PasswordHash) -> Bool {
    PHCString(hash.phcString).map(needsRehash) ?? true
  }

  private func needsRehash(_ stored: PHCString) -> Bool {
    stored.parameters != parameters || stored.saltLength != Argon2Parameters.saltLength
      || stored.tagLength != Argon2Parameters.tagLength
  }

  private static func unwrap<Value>(_ outcome: Result<Value, Argon2.Failure>) throws(UserError) -> Value {
    do {
      return try outcome.get()
    } catch {
      throw .passwordHashing(error.description)
    }
  }
}
