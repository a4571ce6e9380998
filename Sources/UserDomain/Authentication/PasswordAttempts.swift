/// Counts every attempt on a password in the same way: a sign-in, the password proof of an update, and a retried
/// creation.
///
/// Only failures whose check has finished count. Concurrent attempts are limited to the number that could fail one
/// after another (``SignInHistory``). So correct ones do not block each other, and concurrency gains guesses nothing.
public final class PasswordAttempts: Sendable {
  /// The store of the failure counts.
  let repository: any SignInAttemptRepository
  private let gate = SignInGate()
  private let clock: @Sendable () -> Timestamp

  /// Creates attempts counted in `repository`. One object serves all use cases of a process.
  public init(
    _ repository: any SignInAttemptRepository, clock: @escaping @Sendable () -> Timestamp = { .now }
  ) {
    self.repository = repository
    self.clock = clock
  }

  /// Runs `check`, once it is allowed. `check` throws `UserError.wrongCredentials` for a wrong password.
  ///
  /// - Parameter forgets: whether a correct password resets the failure counts here; false if `check` resets them.
  /// - Throws: `UserError.tooManyAttempts` and `.signInDisabled` without running `check`; errors of `check` and the
  ///   store.
  func attempt<Value>(
    _ account: SignInAccount, from source: SignInSource, forgets: Bool = true,
    _ check: () async throws(UserError) -> Value
  ) async throws(UserError) -> Value {
    let key = SignInGate.Key(account: account, source: source)
    let history = try await enter(key)
    defer { gate.release(key) }
    let value: Value
    do {
      value = try await check()
    } catch .wrongCredentials {
      try await noteFailure(key)
      throw .wrongCredentials
    }
    if forgets, history.source.failures + history.accountFailures > 0 {
      try await repository.forgetFailures(of: account, from: source)
    }
    return value
  }

  /// Reserves a place for an attempt, which the caller releases.
  private func enter(_ key: SignInGate.Key) async throws(UserError) -> SignInHistory {
    while true {
      let others = gate.reserve(key)
      let admission: SignInHistory.Admission
      let history: SignInHistory
      do throws(UserError) {
        // The place is reserved before the read begins and held while it waits: see ``SignInGate``. The time is that of the
        // reservation. So a read that takes long can only make a wait seem longer than it is.
        let now = clock()
        history = try await repository.history(of: key.account, from: key.source, now: now)
        admission = history.admission(
          from: key.source, at: now, running: others.running, inAccount: others.inAccount)
      } catch {
        gate.release(key)
        throw error
      }
      switch admission {
      case .begin: return history
      case .wait: try await gate.releaseAndWait(key)
      case .refuse(let error):
        gate.release(key)
        throw error
      }
    }
  }

  /// Stores the failure even if the client no longer waits: the response time may have told it enough already.
  private func noteFailure(_ key: SignInGate.Key) async throws(UserError) {
    let outcome = await Task { [repository, clock] () -> Result<Void, UserError> in
      do throws(UserError) {
        return .success(try await repository.noteFailure(of: key.account, from: key.source, now: clock()))
      } catch {
        return .failure(error)
      }
    }.value
    try outcome.get()
  }
}
