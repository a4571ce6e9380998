public import Synchronization
public import UserDomain

/// A write waiting for its transaction. One caller awaits it, and is resumed exactly once.
///
/// It is not generic over its result, which a ``WriteAnswer`` keeps: the queue would ask the runtime for the type at every
/// step of every write.
@usableFromInline package final class QueuedWrite: Sendable {
  /// Receives nil for a committed write, or the reason why nothing was stored.
  private typealias Waiter = CheckedContinuation<UserError?, Never>

  private enum Phase {
    /// The caller is not waiting yet, and has not cancelled.
    case created
    case waiting(Waiter)
    case started(Waiter)
    case cancelled
    case ended
  }

  /// The maximum number of rows that it writes.
  @usableFromInline package let rows: Int
  /// Whether it is one of many that change pages all over the database.
  @usableFromInline package let isImport: Bool
  private let phase = Mutex(Phase.created)

  /// Creates a write of at most `rows` rows.
  package init(rows: Int, isImport: Bool = false) {
    self.rows = rows
    self.isImport = isImport
  }

  /// Calls `submit`, which hands the write to a queue, and returns once it is committed.
  ///
  /// - Throws: the reason why nothing was stored. If the task is cancelled before the write starts, that is
  ///   `UserError.cancelled`, and the write is skipped.
  package func commit(submit: () -> Void) async throws(UserError) {
    let failure = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isCancelled = phase.withLock { phase in
          if case .cancelled = phase { return true }
          phase = .waiting(continuation)
          return false
        }
        if isCancelled { continuation.resume(returning: .cancelled) } else { submit() }
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

  /// Marks the write as begun. Returns false for a cancelled write, which the transaction must skip.
  package func start() -> Bool {
    phase.withLock { phase in
      guard case .waiting(let waiter) = phase else { return false }
      phase = .started(waiter)
      return true
    }
  }

  /// Resumes the caller: the write's transaction is durable, or, with a failure, nothing was stored.
  package func end(_ failure: UserError?) {
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

/// The result of a write: kept by the writer, and taken by the caller once the write has ended.
///
/// A value that a closure captures: an object would ask the runtime for its types when it is destroyed. It is inlinable,
/// so that its functions do not ask for them either.
@usableFromInline package struct WriteAnswer<Value: Sendable>: ~Copyable, Sendable {
  /// What the work of a write returns: a domain error is a result, not a failure that rolls the transaction back.
  @usableFromInline package typealias Answer = Result<Value, UserError>

  @usableFromInline let answer: Mutex<Answer?>

  /// Creates an answer that is not given yet.
  @inlinable package init() { answer = Mutex(nil) }

  /// Keeps the result. A later one, after a rollback, replaces it.
  @inlinable package func keep(_ answer: Answer) { self.answer.withLock { $0 = answer } }

  /// Returns the last result. The write must be committed, and so performed.
  @inlinable package func take() throws(UserError) -> Value {
    guard let answer = answer.withLock({ $0 }) else {
      throw .storage(StorageFault(kind: .unexpected, resultCode: 0, message: "not performed"))
    }
    return try answer.get()
  }
}
