import GRDB
import Synchronization
import UserDomain

/// A write that waits for its transaction, awaited by one caller, who is resumed exactly once.
///
/// It is not generic over its answer, which ``perform`` keeps: the queue would ask the runtime for the type at every
/// step of every write.
final class QueuedWrite: Sendable {
  typealias Perform = @Sendable (UserWriteStatements) throws(DatabaseError) -> Void

  /// nil for a write that was committed, or why nothing was stored.
  private typealias Waiter = CheckedContinuation<UserError?, Never>

  private enum Phase {
    /// The caller does not wait yet, and has not cancelled.
    case created
    case waiting(Waiter)
    case started(Waiter)
    case cancelled
    case ended
  }

  /// The rows that it writes, at most.
  let rows: Int
  /// Does the write inside the open transaction and keeps the answer. May be called again after a rollback.
  ///
  /// It throws for a failure that calls for a rollback. A domain error is an answer, not a failure.
  let perform: Perform
  private let phase = Mutex(Phase.created)

  init(rows: Int, perform: @escaping Perform) {
    self.rows = rows
    self.perform = perform
  }

  /// Hands the write to `submit` and returns once it is committed.
  ///
  /// - Throws: why nothing was stored; `UserError.cancelled`, and the write is not done, if the task is cancelled before the
  ///   write starts.
  func commit(submit: (QueuedWrite) -> Void) async throws(UserError) {
    let failure = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isCancelled = phase.withLock { phase in
          if case .cancelled = phase { return true }
          phase = .waiting(continuation)
          return false
        }
        if isCancelled { continuation.resume(returning: .cancelled) } else { submit(self) }
      }
    } onCancel: {
      cancel()
    }
    if let failure { throw failure }
  }

  private func cancel() {
    let waiter = phase.withLock { phase -> Waiter? in
      switch phase {
      case .created:
        phase = .cancelled
        return nil
      case .waiting(let waiter):
        phase = .cancelled
        return waiter
      case .started, .cancelled, .ended:
        return nil
      }
    }
    waiter?.resume(returning: .cancelled)
  }

  /// Marks the write as begun. Returns false if it was cancelled; it then has no part in the transaction.
  func start() -> Bool {
    phase.withLock { phase in
      guard case .waiting(let waiter) = phase else { return false }
      phase = .started(waiter)
      return true
    }
  }

  /// Tells the caller that the write's transaction is durable, or, with a failure, that nothing was stored.
  func end(_ failure: UserError?) {
    let waiter = phase.withLock { phase -> Waiter? in
      switch phase {
      case .waiting(let waiter), .started(let waiter):
        phase = .ended
        return waiter
      case .created, .cancelled, .ended:
        return nil
      }
    }
    waiter?.resume(returning: failure)
  }
}

/// The answer of a write: kept by the writer, and taken by the caller once the write has ended.
final class WriteAnswer<Value: Sendable>: Sendable {
  typealias Answer = Result<Value, UserError>

  private let answer = Mutex<Answer?>(nil)

  func keep(_ answer: Answer) { self.answer.withLock { $0 = answer } }

  /// What was kept last: the write has been committed, and so performed.
  func take() throws(UserError) -> Value {
    guard let answer = answer.withLock({ $0 }) else {
      throw .storage(StorageFault(kind: .unexpected, resultCode: 0, message: "not performed"))
    }
    return try answer.get()
  }
}
