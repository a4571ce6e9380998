import Primitives
public import UserDomain

/// Argon2id (RFC 9106) through libargon2, on a bounded pool of threads. It makes no other hashes, and also checks those that
/// were imported from other systems.
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
    do {
      return PasswordHash(phcString: try outcome.get())
    } catch {
      throw .passwordHashing(error.description)
    }
  }

  public func accept(foreign text: String) throws(FieldViolation) -> PasswordHash {
    let stored: any StoredHash
    do { stored = try StoredHashFormat.parse(text) } catch { throw error.violation }
    guard stored.memoryBytes <= pool.memoryBudget else {
      throw StoredHashError.outOfRange(
        "the hash takes \(stored.memoryBytes) bytes of memory, more than the budget of \(pool.memoryBudget)"
      ).violation
    }
    return PasswordHash(phcString: text)
  }

  public func verify(
    _ password: Password, against hash: PasswordHash, for requester: HashRequester
  ) async throws(UserError) -> PasswordVerification {
    let stored: any StoredHash
    do { stored = try StoredHashFormat.parse(hash.phcString) } catch {
      throw .passwordHashing("the stored hash is not accepted: \(error)")
    }
    let outcome = try await pool.run(memory: stored.memoryBytes, for: requester) {
      Result { () throws(UserError) in try Self.match(password, stored) }
    }
    switch try outcome.get() {
    case nil: return .mismatch
    case .normalized: return .match(needsRehash: needsRehash(stored))
    case .asGiven: return .match(needsRehash: true)
    }
  }

  /// The form of a password that a hash was made of.
  private enum Form {
    case normalized
    case asGiven
  }

  /// Returns the form of `password` that matches `stored`, or nil.
  ///
  /// Other systems hash the text as typed, and their Argon2 hashes look like this service's. So a password whose NFKC form
  /// differs from its text may cost two hashes. The text as typed comes first where only other systems use the format.
  private static func match(_ password: Password, _ stored: any StoredHash) throws(UserError) -> Form? {
    let normalized = Array(password.normalized.utf8)
    let asGiven = Array(password.asGiven.utf8)
    // Compared as bytes: equal strings are canonically equivalent, and may differ in bytes.
    if normalized == asGiven { return try stored.matches(normalized) ? .normalized : nil }
    if stored is PHCString, try stored.matches(normalized) { return .normalized }
    if try stored.matches(asGiven) { return .asGiven }
    if !(stored is PHCString), try stored.matches(normalized) { return .normalized }
    return nil
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
    (try? PHCString(hash.phcString)).map(needsRehash) ?? true
  }

  private func needsRehash(_ stored: any StoredHash) -> Bool {
    guard let stored = stored as? PHCString else { return true }
    return stored.variant != .id || stored.parameters != parameters
      || stored.saltLength != Argon2Parameters.saltLength || stored.tagLength != Argon2Parameters.tagLength
  }
}
