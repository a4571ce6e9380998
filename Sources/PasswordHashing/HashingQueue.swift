import UserDomain

/// Decides which hash runs, waits or is refused. A value without threads or clocks, whose decisions `HashingPool`
/// carries out.
///
/// Hashes start while a worker is free and the memory budget has room. Hashes that clients wait for come before
/// background ones, and callers take turns within each kind. The next hash waits for its memory and is not overtaken,
/// so that small hashes cannot starve a large one.
///
/// When the queue is full, a caller with fewer hashes takes a place of the caller with the most. A hash that a client
/// waits for takes the place of a background one. So no caller starves the others.
struct HashingQueue {
  /// A submitted hash.
  struct Job: Equatable {
    let id: UInt64
    let memory: Int
    let requester: HashRequester
  }

  /// The consequences of an event: jobs to start, and a job to drop.
  struct Actions: Equatable {
    var start: [UInt64] = []
    /// A waiting job that is refused, to make room for the submitted one.
    var displaced: Displacement?
    /// The refusal of the submitted job, if any.
    var refusal: Refusal?
  }

  struct Displacement: Equatable {
    let id: UInt64
    let retryAfter: Duration
  }

  enum Refusal: Equatable {
    case overloaded(retryAfter: Duration)
    case needsMoreThanBudget
  }

  /// The number of foreground hashes after which a background one has a turn, so that it is not starved.
  static let startsBeforeBackground = 16

  private let limits: HashingLimits
  private var foreground = HashingLine()
  private var background = HashingLine()
  /// The number of consecutive foreground starts while the background waited.
  private var overtakes = 0
  private var running: [UInt64: Int] = [:]
  private var memoryInUse = 0
  private var averageDuration: Duration = .milliseconds(25)

  init(limits: HashingLimits) {
    self.limits = limits
  }

  var waitingCount: Int { foreground.count + background.count }

  mutating func submitted(_ job: Job) -> Actions {
    var actions = Actions()
    if job.memory > limits.memoryBudget {
      actions.refusal = .needsMoreThanBudget
      return actions
    }
    let isFull = waitingCount >= limits.queueLength && !canStart(job)
    let retryAfter = expectedWait(job)
    if isFull {
      guard let displaced = makeRoom(for: job) else {
        actions.refusal = .overloaded(retryAfter: retryAfter)
        return actions
      }
      actions.displaced = Displacement(id: displaced.id, retryAfter: retryAfter)
    }
    if job.requester.isBackground { background.append(job) } else { foreground.append(job) }
    startWaiting(into: &actions)
    return actions
  }

  mutating func finished(_ id: UInt64, took duration: Duration) -> Actions {
    guard let memory = running.removeValue(forKey: id) else { return Actions() }
    memoryInUse -= memory
    averageDuration = (averageDuration * 7 + duration) / 8
    var actions = Actions()
    startWaiting(into: &actions)
    return actions
  }

  /// Removes a waiting job, and starts those that it held up. Returns nil if it has started or ended.
  mutating func cancelled(_ id: UInt64) -> Actions? {
    guard foreground.remove(id) || background.remove(id) else { return nil }
    var actions = Actions()
    startWaiting(into: &actions)
    return actions
  }

  /// Estimates how long the present queue takes to empty, if its hashes are like `job`.
  private func expectedWait(_ job: Job) -> Duration {
    let atOnce = min(limits.threads, limits.memoryBudget / max(job.memory, 1))
    return averageDuration * (waitingCount + running.count) / max(atOnce, 1)
  }

  private func canStart(_ job: Job) -> Bool {
    waitingCount == 0 && hasRoom(for: job)
  }

  private func hasRoom(for job: Job) -> Bool {
    running.count < limits.threads && memoryInUse + job.memory <= limits.memoryBudget
  }

  /// Removes a job with less right to its place than `job` from the full queue. Returns nil if every job has as much.
  private mutating func makeRoom(for job: Job) -> Job? {
    if !job.requester.isBackground, let longest = background.longest {
      return background.removeLast(of: longest.caller)
    }
    let line = job.requester.isBackground ? background : foreground
    // The caller must still have more afterwards: two callers must not displace each other alternately.
    guard let longest = line.longest, longest.count > line.count(of: job.requester.caller) + 1 else {
      return nil
    }
    return job.requester.isBackground
      ? background.removeLast(of: longest.caller) : foreground.removeLast(of: longest.caller)
  }

  private var isBackgroundNext: Bool {
    foreground.isEmpty || (overtakes >= Self.startsBeforeBackground && !background.isEmpty)
  }

  private mutating func startWaiting(into actions: inout Actions) {
    while let job = isBackgroundNext ? background.first : foreground.first, hasRoom(for: job) {
      if job.requester.isBackground {
        _ = background.removeFirst()
        overtakes = 0
      } else {
        _ = foreground.removeFirst()
        overtakes = background.isEmpty ? 0 : overtakes + 1
      }
      running[job.id] = job.memory
      memoryInUse += job.memory
      actions.start.append(job.id)
    }
  }
}
