import Synchronization

/// The running password checks by account and source. It keeps concurrent attempts from getting around a limit.
///
/// An attempt reserves a place and reads the earlier failures. Then it begins, releases the place, or waits until
/// another attempt of its account and source ends. A failure is stored before its place is released. So an attempt that
/// reserves before it reads sees every failure, stored or running.
///
/// This holds however long the read takes. An attempt that reserved earlier was counted at the reservation; or its place was
/// released before, and the read sees its failure. An attempt that reserves later counts this one. One that ends while
/// the read waits may be counted twice, as running and as failed: then this attempt waits or is refused for a second, and
/// none is admitted too early. An attempt that has seen no other reserved place does not wait, so that one always begins.
final class SignInGate: Sendable {
  struct Key: Hashable {
    let account: SignInAccount
    let source: SignInSource

    var isNetwork: Bool {
      if case .network = source { true } else { false }
    }
  }

  fileprivate struct Entry {
    var running = 0
    var waiting: [UInt64: CheckedContinuation<Bool, Never>] = [:]
  }

  fileprivate struct State {
    var entries: [Key: Entry] = [:]
    /// Running attempts from networks, by account.
    var running: [SignInAccount: Int] = [:]
    var nextID: UInt64 = 0
  }

  /// The maximum number of waiting attempts of one account and source; more are refused.
  static let longestQueue = 64

  private let state = Mutex(State())

  /// Reserves a place. Returns the numbers of other reserved places: of the source, and of the account from networks.
  func reserve(_ key: Key) -> (running: Int, inAccount: Int) {
    state.withLock { state in
      let others = (state.entries[key]?.running ?? 0, state.running[key.account] ?? 0)
      state.entries[key, default: Entry()].running += 1
      if key.isNetwork { state.running[key.account, default: 0] += 1 }
      return others
    }
  }

  /// Releases a place.
  func release(_ key: Key) {
    let woken = state.withLock { state in
      state.release(key)
      return state.takeWaiting(key)
    }
    for continuation in woken { continuation.resume(returning: true) }
  }

  /// Releases a place, and returns when another place of the same account and source is released.
  ///
  /// - Throws: `UserError.tooManyAttempts` if too many are waiting, `.cancelled` if the task is cancelled.
  func releaseAndWait(_ key: Key) async throws(UserError) {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    let fate = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in enqueue(id, key, continuation) }
    } onCancel: {
      cancel(id, key)
    }
    guard fate else {
      throw Task.isCancelled ? .cancelled : .tooManyAttempts(retryAfter: .seconds(1))
    }
  }

  private func enqueue(_ id: UInt64, _ key: Key, _ continuation: CheckedContinuation<Bool, Never>) {
    let resumed = state.withLock { state -> [(CheckedContinuation<Bool, Never>, Bool)] in
      state.release(key)
      guard state.entries[key]?.running ?? 0 > 0 else {
        // The attempts that it would wait for have ended meanwhile.
        return state.takeWaiting(key).map { ($0, true) } + [(continuation, true)]
      }
      guard !Task.isCancelled, state.entries[key]?.waiting.count ?? 0 < Self.longestQueue else {
        return [(continuation, false)]
      }
      state.entries[key]?.waiting[id] = continuation
      return []
    }
    for (continuation, fate) in resumed { continuation.resume(returning: fate) }
    // An earlier cancellation found nothing to cancel.
    if Task.isCancelled { cancel(id, key) }
  }

  private func cancel(_ id: UInt64, _ key: Key) {
    state.withLock { $0.entries[key]?.waiting.removeValue(forKey: id) }?.resume(returning: false)
  }

  /// The number of accounts and sources with running or waiting attempts.
  var count: Int { state.withLock { $0.entries.count } }
}

extension SignInGate.State {
  fileprivate mutating func release(_ key: SignInGate.Key) {
    entries[key]?.running -= 1
    if let entry = entries[key], entry.running == 0, entry.waiting.isEmpty { entries[key] = nil }
    guard key.isNetwork, let count = running[key.account] else { return }
    running[key.account] = count > 1 ? count - 1 : nil
  }

  /// Removes all waiting attempts, for the caller to resume.
  fileprivate mutating func takeWaiting(_ key: SignInGate.Key) -> [CheckedContinuation<Bool, Never>] {
    guard let entry = entries[key] else { return [] }
    entries[key]?.waiting = [:]
    if entry.running == 0 { entries[key] = nil }
    return Array(entry.waiting.values)
  }
}
