import GRDB
import Synchronization
import UserDomain

/// A write that waits for its transaction, whatever its answer's type.
protocol QueuedWrite: Sendable {
  /// The rows that it writes, at most.
  var rows: Int { get }
  /// Marks the write as begun. Returns false if it was cancelled; it then has no part in the transaction.
  func start() -> Bool
  /// Does the write inside the open transaction and keeps the answer. May be called again after a rollback.
  ///
  /// - Throws: a failure that calls for a rollback. A domain error is an answer, not a failure.
  func perform(with statements: UserWriteStatements) throws(DatabaseError)
  /// Gives the caller the kept answer, whose transaction is durable now.
  func succeed()
  /// Tells the caller that nothing was stored.
  func fail(_ error: UserError)
}

/// A write whose answer is a `Value`, awaited by one caller, who is resumed exactly once.
final class Write<Value: Sendable>: QueuedWrite {
  typealias Answer = Result<Value, UserError>
  typealias Work = @Sendable (UserWriteStatements) throws(DatabaseError) -> Answer

  private enum Phase {
    /// Nobody awaits the answer yet, and nobody has cancelled.
    case created
    case waiting(CheckedContinuation<Answer, Never>)
    case started(CheckedContinuation<Answer, Never>, Answer?)
    case cancelled
    case answered
  }

  let rows: Int
  private let work: Work
  private let phase = Mutex(Phase.created)

  init(rows: Int, _ work: @escaping Work) {
    self.rows = rows
    self.work = work
  }

  /// Hands the write to `submit` and awaits its answer. If the task is cancelled before the write starts, the
  /// answer is `UserError.cancelled` and the write is not done.
  func answer(submit: (any QueuedWrite) -> Void) async throws(UserError) -> Value {
    let answer: Answer = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isCancelled = phase.withLock { phase in
          if case .cancelled = phase { return true }
          phase = .waiting(continuation)
          return false
        }
        if isCancelled {
          continuation.resume(returning: .failure(.cancelled))
        } else {
          submit(self)
        }
      }
    } onCancel: {
      cancel()
    }
    return try answer.get()
  }

  private func cancel() {
    let continuation = phase.withLock { phase -> CheckedContinuation<Answer, Never>? in
      switch phase {
      case .created:
        phase = .cancelled
        return nil
      case .waiting(let continuation):
        phase = .cancelled
        return continuation
      case .started, .cancelled, .answered:
        return nil
      }
    }
    continuation?.resume(returning: .failure(.cancelled))
  }

  func start() -> Bool {
    phase.withLock { phase in
      guard case .waiting(let continuation) = phase else { return false }
      phase = .started(continuation, nil)
      return true
    }
  }

  func perform(with statements: UserWriteStatements) throws(DatabaseError) {
    let answer = try work(statements)
    phase.withLock { phase in
      if case .started(let continuation, _) = phase { phase = .started(continuation, answer) }
    }
  }

  func succeed() {
    end { answer in
      // `perform` has kept an answer before its transaction was committed.
      answer ?? .failure(.storage(StorageFault(kind: .unexpected, resultCode: 0, message: "not performed")))
    }
  }

  func fail(_ error: UserError) {
    end { _ in .failure(error) }
  }

  private func end(_ choose: (Answer?) -> Answer) {
    let (continuation, answer) = phase.withLock { phase -> (CheckedContinuation<Answer, Never>?, Answer?) in
      switch phase {
      case .waiting(let continuation):
        phase = .answered
        return (continuation, nil)
      case .started(let continuation, let answer):
        phase = .answered
        return (continuation, answer)
      case .created, .cancelled, .answered:
        return (nil, nil)
      }
    }
    continuation?.resume(returning: choose(answer))
  }
}
