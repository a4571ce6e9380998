import Synchronization
import UserDomain

/// Whether writes succeed, as far as the last ones have shown. Asked by health checks, in nanoseconds.
final class WriteHealth: Sendable {
  private let isFailing = Atomic(false)
  private let state = Mutex<StorageFault?>(nil)

  /// Why writes fail; nil if the last one was committed.
  var fault: StorageFault? {
    isFailing.load(ordering: .acquiring) ? state.withLock { $0 } : nil
  }

  /// A transaction failed.
  func failed(_ fault: StorageFault) {
    state.withLock { state in
      state = fault
      isFailing.store(true, ordering: .releasing)
    }
  }

  /// A transaction was committed. Missing migrations stay a fault, for they make only some writes fail.
  func committed() {
    recover { $0.kind != .notMigrated }
  }

  /// The paths lead to the open files. Only a fault that said otherwise has ended.
  func filesAreInPlace() {
    recover { $0.kind == .moved }
  }

  /// Writes of every kind succeed again.
  func recovered() {
    recover { _ in true }
  }

  private func recover(_ hasEnded: (StorageFault) -> Bool) {
    guard isFailing.load(ordering: .acquiring) else { return }
    state.withLock { state in
      guard let fault = state, hasEnded(fault) else { return }
      state = nil
      isFailing.store(false, ordering: .releasing)
    }
  }
}
