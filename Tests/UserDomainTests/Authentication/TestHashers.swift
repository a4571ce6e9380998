import Synchronization
import UserDomain

/// Records the cost of each hash that it checks.
final class CountingHasher: PasswordHasher {
  private let base: any PasswordHasher
  private let checked = Mutex<[String]>([])

  init(_ base: any PasswordHasher) {
    self.base = base
  }

  /// The costs in the checked hashes, in the form of PHC strings.
  var costs: [String] { checked.withLock { $0 } }

  var decoy: PasswordHash { base.decoy }

  func accept(foreign text: String) throws(FieldViolation) -> PasswordHash { try base.accept(foreign: text) }

  func hash(_ password: Password, for requester: HashRequester) async throws(UserError) -> PasswordHash {
    try await base.hash(password, for: requester)
  }

  func verify(
    _ password: Password, against hash: PasswordHash, for requester: HashRequester
  ) async throws(UserError) -> PasswordVerification {
    checked.withLock { $0.append(String(hash.phcString.split(separator: "$")[2])) }
    return try await base.verify(password, against: hash, for: requester)
  }
}

/// Runs a closure after each check and each hash, before its outcome is known.
final class HookedHasher: PasswordHasher {
  private let base: any PasswordHasher
  private let hook: @Sendable () async throws -> Void

  init(_ base: any PasswordHasher, _ hook: @escaping @Sendable () async throws -> Void) {
    self.base = base
    self.hook = hook
  }

  var decoy: PasswordHash { base.decoy }

  func accept(foreign text: String) throws(FieldViolation) -> PasswordHash { try base.accept(foreign: text) }

  func hash(
    _ password: Password, for requester: HashRequester
  ) async throws(UserError) -> PasswordHash {
    let hash = try await base.hash(password, for: requester)
    try await runHook()
    return hash
  }

  func verify(
    _ password: Password, against hash: PasswordHash, for requester: HashRequester
  ) async throws(UserError) -> PasswordVerification {
    let outcome = try await base.verify(password, against: hash, for: requester)
    try await runHook()
    return outcome
  }

  private func runHook() async throws(UserError) {
    do { try await hook() } catch {
      throw error is CancellationError ? .cancelled : .passwordHashing("\(error)")
    }
  }
}

/// Holds back hashes until a test releases them.
final class WaitingHasher: PasswordHasher {
  private let base: any PasswordHasher
  private let gate = AsyncStream.makeStream(of: Void.self)

  init(_ base: any PasswordHasher) {
    self.base = base
  }

  func open() { gate.continuation.finish() }

  var decoy: PasswordHash { base.decoy }

  func accept(foreign text: String) throws(FieldViolation) -> PasswordHash { try base.accept(foreign: text) }

  func hash(
    _ password: Password, for requester: HashRequester
  ) async throws(UserError) -> PasswordHash {
    for await _ in gate.stream {}
    return try await base.hash(password, for: requester)
  }

  func verify(
    _ password: Password, against hash: PasswordHash, for requester: HashRequester
  ) async throws(UserError) -> PasswordVerification {
    try await base.verify(password, against: hash, for: requester)
  }
}

/// Refuses every hash as overloaded.
struct OverloadedHasher: PasswordHasher {
  let decoy = PasswordHash(phcString: "")

  func accept(foreign text: String) -> PasswordHash { PasswordHash(phcString: text) }

  func hash(_ password: Password, for requester: HashRequester) async throws(UserError) -> PasswordHash {
    throw .overloaded(retryAfter: .seconds(3))
  }

  func verify(
    _ password: Password, against hash: PasswordHash, for requester: HashRequester
  ) async throws(UserError) -> PasswordVerification {
    throw .overloaded(retryAfter: .seconds(3))
  }
}
