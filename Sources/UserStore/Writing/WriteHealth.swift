import Synchronization
package import UserDomain

/// Whether writes succeed, as far as the last ones show. Health checks read it, in nanoseconds.
package final class WriteHealth: Sendable {
  private let isFailing = Atomic(false)
  private let state = Mutex<StorageFault?>(nil)

  /// Creates the state of a store that has not written yet.
  package init() {}

  /// The reason why writes fail; nil if the last one was committed.
  package var fault: StorageFault? {
    isFailing.load(ordering: .acquiring) ? state.withLock { $0 } : nil
  }

  /// Records a failed transaction.
  package func failed(_ fault: StorageFault) {
    state.withLock { state in
      state = fault
      isFailing.store(true, ordering: .releasing)
    }
  }

  /// Records a committed transaction. Missing migrations stay a fault, because only some writes need them.
  package func committed() {
    recover { $0.kind != .notMigrated }
  }

  /// Records that the paths lead to the open files. Only a fault that said otherwise ends.
  package func filesAreInPlace() {
    recover { $0.kind == .moved }
  }

  /// Records that writes of every kind succeed again.
  package func recovered() {
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
