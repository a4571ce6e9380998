import Dispatch
import Synchronization
import UserDomain

/// Runs hashes on its own threads, as `HashingQueue` decides.
///
/// Each running hash has its own serial dispatch queue, so its thread belongs neither to an event loop nor to Swift's
/// cooperative pool.
final class HashingPool: Sendable {
  private typealias Work = @Sendable () -> Void

  private struct Entry {
    /// Computes the hash and resumes the caller.
    let run: Work
    /// Resumes the caller with the reason why nothing was computed.
    let refuse: @Sendable (UserError) -> Void
  }

  private struct State {
    var queue: HashingQueue
    var entries: [UInt64: Entry] = [:]
    var idleWorkers: [DispatchQueue]
    var nextID: UInt64 = 0
  }

  private let state: Mutex<State>
  /// The maximum memory of all running hashes in bytes. A hash that needs more is refused.
  let memoryBudget: Int

  init(limits: HashingLimits) {
    let workers = (0..<limits.threads).map { DispatchQueue(label: "password-hashing.\($0)", qos: .utility) }
    state = Mutex(State(queue: HashingQueue(limits: limits), idleWorkers: workers))
    memoryBudget = limits.memoryBudget
  }

  /// The number of hashes waiting for a worker.
  var waitingCount: Int { state.withLock { $0.queue.waitingCount } }

  /// Runs `work`, which uses `memory` bytes, on a worker thread.
  ///
  /// - Throws: `UserError.overloaded` if the queue is full, immediately or when another caller takes the place;
  ///   `.cancelled` if the task is cancelled before the work begins.
  func run<Value: Sendable>(
    memory: Int, for requester: HashRequester, _ work: @escaping @Sendable () -> Value
  ) async throws(UserError) -> Value {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    let result: Result<Value, UserError> = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let entry = Entry(
          run: { continuation.resume(returning: .success(work())) },
          refuse: { continuation.resume(returning: .failure($0)) })
        if Task.isCancelled { return entry.refuse(.cancelled) }
        submit(HashingQueue.Job(id: id, memory: memory, requester: requester), entry)
        // A cancellation before the job was queued found nothing to cancel.
        if Task.isCancelled { cancel(id) }
      }
    } onCancel: {
      cancel(id)
    }
    return try result.get()
  }

  private func submit(_ job: HashingQueue.Job, _ entry: Entry) {
    let (refusal, effects) = state.withLock { state in
      let actions = state.queue.submitted(job)
      if actions.refusal == nil { state.entries[job.id] = entry }
      return (actions.refusal, Self.effects(of: actions, &state))
    }
    perform(effects)
    switch refusal {
    case nil: break
    case .overloaded(let retryAfter): entry.refuse(.overloaded(retryAfter: retryAfter))
    case .needsMoreThanBudget:
      entry.refuse(
        .passwordHashing("the hash needs \(job.memory) bytes, more than the budget of \(memoryBudget)"))
    }
  }

  private func cancel(_ id: UInt64) {
    let (entry, effects) = state.withLock { state -> (Entry?, Effects) in
      guard let actions = state.queue.cancelled(id) else { return (nil, Effects()) }
      return (state.entries.removeValue(forKey: id), Self.effects(of: actions, &state))
    }
    entry?.refuse(.cancelled)
    perform(effects)
  }

  private func finished(_ id: UInt64, on worker: DispatchQueue, began: ContinuousClock.Instant) {
    let duration = ContinuousClock.now - began
    let effects = state.withLock { state in
      state.idleWorkers.append(worker)
      return Self.effects(of: state.queue.finished(id, took: duration), &state)
    }
    perform(effects)
  }

  private struct Effects {
    var start: [(id: UInt64, worker: DispatchQueue, run: Work)] = []
    var displaced: (entry: Entry, retryAfter: Duration)?
  }

  /// `HashingQueue` starts no more jobs than workers, and names each job once.
  private static func effects(of actions: HashingQueue.Actions, _ state: inout State) -> Effects {
    var effects = Effects()
    for id in actions.start {
      if let entry = state.entries.removeValue(forKey: id), let worker = state.idleWorkers.popLast() {
        effects.start.append((id, worker, entry.run))
      }
    }
    if let displaced = actions.displaced, let entry = state.entries.removeValue(forKey: displaced.id) {
      effects.displaced = (entry, displaced.retryAfter)
    }
    return effects
  }

  private func perform(_ effects: Effects) {
    if let (entry, retryAfter) = effects.displaced { entry.refuse(.overloaded(retryAfter: retryAfter)) }
    for (id, worker, run) in effects.start {
      worker.async {
        let began = ContinuousClock.now
        run()
        self.finished(id, on: worker, began: began)
      }
    }
  }
}
