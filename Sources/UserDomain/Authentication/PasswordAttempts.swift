/// Every way to try a password goes through here, so that guesses are counted alike: a sign-in, the password that a
/// change of one's own asks for, and a request to create a user that is made again.
///
/// Only answered failures count. Attempts at the same time are held back to as many as could fail one after another
/// (``SignInHistory``), so that neither right ones refuse each other nor guesses gain anything by it.
public final class PasswordAttempts: Sendable {
  /// Where failures are counted.
  let repository: any SignInAttemptRepository
  private let gate = SignInGate()
  private let clock: @Sendable () -> Timestamp

  /// Attempts that are counted in `repository`. One object for all use cases of a process.
  public init(
    _ repository: any SignInAttemptRepository, clock: @escaping @Sendable () -> Timestamp = { .now }
  ) {
    self.repository = repository
    self.clock = clock
  }

  /// Runs `check`, which throws `UserError.wrongCredentials` for a wrong password, once it may.
  ///
  /// - Parameter forgets: whether a right password has the failures before it forgotten here; false if `check` does it.
  /// - Throws: `UserError.tooManyAttempts` and `.signInDisabled` without having run it; what `check` and the store throw.
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

  /// Takes a place for an attempt, which the caller gives back.
  private func enter(_ key: SignInGate.Key) async throws(UserError) -> SignInHistory {
    while true {
      let others = gate.reserve(key)
      let admission: SignInHistory.Admission
      let history: SignInHistory
      do throws(UserError) {
        // After the reservation: see ``SignInGate``.
        let now = clock()
        history = try repository.history(of: key.account, from: key.source, now: now)
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

  /// Stores the failure whether or not the client waits for the answer: it may have learnt enough already.
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
