import Primitives
public import UserDomain

/// Argon2id (RFC 9106) through libargon2, on a bounded pool of threads. It makes no other hashes, and also checks those that
/// were imported from other systems.
///
/// An imported hash that is cheap to check is followed by the decoy, and one that cannot be checked is replaced by it: the
/// time of an answer tells little about whether an address is registered.
public final class Argon2idHasher: PasswordHasher {
  private let parameters: Argon2Parameters
  private let pool: HashingPool
  private let reportUncheckable: @Sendable (_ memory: Int) -> Void

  /// Creates a hasher that makes new hashes with `parameters` and works within `limits`.
  ///
  /// - Parameter reportUncheckable: is called with the memory in bytes of a stored hash, if that is more than the budget.
  ///   No password matches such a hash.
  /// - Throws: `Argon2ParameterError` if one hash would not fit in the memory budget.
  public convenience init(
    parameters: Argon2Parameters = .recommended, limits: HashingLimits = HashingLimits(),
    reportUncheckable: @escaping @Sendable (_ memory: Int) -> Void = { _ in }
  ) throws(Argon2ParameterError) {
    guard parameters.memoryBytes <= limits.memoryBudget else {
      throw Argon2ParameterError(
        description: """
          argon2: one hash takes \(parameters.memoryBytes) bytes, more than the memory budget of \
          \(limits.memoryBudget)
          """)
    }
    self.init(
      parameters: parameters, pool: HashingPool(limits: limits), reportUncheckable: reportUncheckable)
  }

  init(
    parameters: Argon2Parameters, pool: HashingPool,
    reportUncheckable: @escaping @Sendable (_ memory: Int) -> Void = { _ in }
  ) {
    self.parameters = parameters
    self.pool = pool
    self.reportUncheckable = reportUncheckable
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
    do {
      try checkCost(ofForeign: StoredHashFormat.parse(text))
    } catch {
      throw error.violation
    }
    return PasswordHash(phcString: text)
  }

  /// Checks what one import may make the pool do. A hash with this hasher's parameters costs no more than a new one.
  private func checkCost(ofForeign stored: any StoredHash) throws(StoredHashError) {
    let argon2 = stored as? PHCString
    if argon2?.parameters == parameters { return }
    try argon2?.checkForeignWork()
    // Half, so that others run beside it.
    let limit = pool.memoryBudget / 2
    guard stored.memoryBytes <= limit else {
      throw .outOfRange(
        "the hash takes \(stored.memoryBytes) bytes of memory; it must be at most \(limit), half of the budget"
      )
    }
  }

  public func verify(
    _ password: Password, against hash: PasswordHash, for requester: HashRequester
  ) async throws(UserError) -> PasswordVerification {
    let stored: any StoredHash
    do { stored = try StoredHashFormat.parse(hash.phcString) } catch {
      throw .passwordHashing("the stored hash is not accepted: \(error)")
    }
    guard stored.memoryBytes <= pool.memoryBudget else {
      reportUncheckable(stored.memoryBytes)
      return try await verify(password, against: decoy, for: requester)
    }
    return try await run(
      StoredHashCheck(stored: stored, isOwn: isOwn(hash, stored)), password, for: requester)
  }

  private func run(
    _ check: StoredHashCheck, _ password: Password, for requester: HashRequester
  ) async throws(UserError) -> PasswordVerification {
    // With the decoy, the time of such a check differs less from the decoy's alone.
    let needsDecoy = check.time(of: password) < parameters.time / 2
    let memory = max(check.stored.memoryBytes, needsDecoy ? parameters.memoryBytes : 0)
    let outcome = try await pool.run(memory: memory, for: requester) { [decoy = newDecoy()] in
      Result { () throws(UserError) in
        let verification = try check.run(password)
        if needsDecoy, verification == .mismatch { _ = try decoy.matches(Array(password.normalized.utf8)) }
        return verification
      }
    }
    return try outcome.get()
  }

  public var decoy: PasswordHash { PasswordHash(phcString: newDecoy().text) }

  private func newDecoy() -> PHCString {
    // A random tag of 256 bits matches no password.
    PHCString(
      parameters, salt: SystemRandom.bytes(Argon2Parameters.saltLength),
      tag: SystemRandom.bytes(Argon2Parameters.tagLength))
  }

  /// Returns whether a hash is like this hasher's new ones. Text of Django's, with `argon2` before it, is not.
  private func isOwn(_ hash: PasswordHash, _ stored: any StoredHash) -> Bool {
    guard let stored = stored as? PHCString else { return false }
    return hash.phcString.hasPrefix("$\(Argon2.Variant.id.rawValue)$") && stored.parameters == parameters
      && stored.saltLength == Argon2Parameters.saltLength && stored.tagLength == Argon2Parameters.tagLength
  }
}
