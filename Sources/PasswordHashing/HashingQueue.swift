/// Decides which hash runs, waits or is refused. A value without threads or clocks; `HashingPool` obeys it.
///
/// Hashes start in the order of arrival, as long as a worker is free and the memory budget has room. The head
/// of the queue is never overtaken, so a hash that needs much memory is not starved by small ones.
struct HashingQueue {
  typealias Instant = ContinuousClock.Instant

  /// One submitted hash.
  struct Job: Equatable {
    let id: UInt64
    let memory: Int
    let deadline: Instant?
  }

  /// What has to be done after an event: jobs that start now, and jobs that are dropped.
  struct Actions: Equatable {
    var start: [UInt64] = []
    var expired: [UInt64] = []
    /// Set when the submitted job was refused.
    var refusal: Refusal?
  }

  enum Refusal: Equatable {
    case overloaded(retryAfter: Duration)
    case deadlineExceeded
    case needsMoreThanBudget
  }

  private let limits: HashingLimits
  private var waiting: [Job] = []
  private var running: [UInt64: Int] = [:]
  private var memoryInUse = 0
  private var averageDuration: Duration = .milliseconds(25)

  init(limits: HashingLimits) {
    self.limits = limits
  }

  var waitingCount: Int { waiting.count }

  mutating func submitted(_ job: Job, now: Instant) -> Actions {
    var actions = Actions()
    if job.memory > limits.memoryBudget {
      actions.refusal = .needsMoreThanBudget
    } else if let deadline = job.deadline, deadline <= now {
      actions.refusal = .deadlineExceeded
    } else {
      if waiting.count >= limits.queueLength { dropExpired(now: now, into: &actions) }
      if waiting.count < limits.queueLength || canStart(job) {
        waiting.append(job)
      } else {
        actions.refusal = .overloaded(retryAfter: expectedWait(job))
      }
    }
    startWaiting(now: now, into: &actions)
    return actions
  }

  mutating func finished(_ id: UInt64, took duration: Duration, now: Instant) -> Actions {
    guard let memory = running.removeValue(forKey: id) else { return Actions() }
    memoryInUse -= memory
    averageDuration = (averageDuration * 7 + duration) / 8
    var actions = Actions()
    startWaiting(now: now, into: &actions)
    return actions
  }

  /// Forgets a job that still waits, and starts those that it held up. Returns nil if it has started or
  /// ended.
  mutating func cancelled(_ id: UInt64, now: Instant) -> Actions? {
    guard let index = waiting.firstIndex(where: { $0.id == id }) else { return nil }
    waiting.remove(at: index)
    var actions = Actions()
    startWaiting(now: now, into: &actions)
    return actions
  }

  /// How long the queue as it stands takes to run dry, if its hashes are like `job`.
  private func expectedWait(_ job: Job) -> Duration {
    let atOnce = min(limits.threads, limits.memoryBudget / max(job.memory, 1))
    return averageDuration * (waiting.count + running.count) / max(atOnce, 1)
  }

  private func canStart(_ job: Job) -> Bool {
    waiting.isEmpty && hasRoom(for: job)
  }

  private func hasRoom(for job: Job) -> Bool {
    running.count < limits.threads && memoryInUse + job.memory <= limits.memoryBudget
  }

  private mutating func startWaiting(now: Instant, into actions: inout Actions) {
    while let job = waiting.first {
      if let deadline = job.deadline, deadline <= now {
        actions.expired.append(job.id)
      } else if hasRoom(for: job) {
        running[job.id] = job.memory
        memoryInUse += job.memory
        actions.start.append(job.id)
      } else {
        return
      }
      waiting.removeFirst()
    }
  }

  private mutating func dropExpired(now: Instant, into actions: inout Actions) {
    waiting.removeAll { job in
      guard let deadline = job.deadline, deadline <= now else { return false }
      actions.expired.append(job.id)
      return true
    }
  }
}
