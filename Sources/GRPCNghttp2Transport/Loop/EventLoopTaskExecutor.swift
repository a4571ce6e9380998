import NIOCore
import Synchronization

/// Runs the tasks of calls on an event loop, in batches: jobs that become ready in one turn of the loop run together.
/// Afterwards every connection with output writes once.
///
/// `@unchecked Sendable`: `arrived` has a lock; all other mutable state is used only on `loop`.
final class EventLoopTaskExecutor: TaskExecutor, @unchecked Sendable {
  let loop: any EventLoop
  let fairShare: FairShare
  private var ready: [UnownedJob] = []
  private var flushes = FlushBatch()
  private var isScheduled = false
  private var isDraining = false
  private let arrived = Mutex<[UnownedJob]>([])

  /// The number of rounds in which jobs may make further jobs ready before sockets are polled.
  private static let rounds = 4
  /// How long the remaining jobs wait. NIO runs everything that is due before it polls its sockets.
  private static let pause = TimeAmount.microseconds(100)

  init(loop: any EventLoop) {
    self.loop = loop
    fairShare = FairShare(loop: loop)
  }

  var isCurrent: Bool { loop.inEventLoop }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if loop.inEventLoop {
      ready.append(job)
      schedule()
    } else {
      let isFirst = arrived.withLock { arrived in
        arrived.append(job)
        return arrived.count == 1
      }
      if isFirst { loop.execute { self.drain() } }
    }
  }

  /// Runs `body` on the loop, immediately if this is the loop's thread.
  func run(_ body: @escaping @Sendable () -> Void) {
    if loop.inEventLoop { body() } else { loop.execute(body) }
  }

  /// Suspends until it can return on the loop.
  func comeBack() async {
    if isCurrent { return }
    await withCheckedContinuation { continuation in run { continuation.resume() } }
  }

  /// Calls `flush` at the end of this turn. Must be called on the loop.
  func flushLater(_ flush: @escaping () -> Void) {
    flushes.add(flush)
    schedule()
  }

  private func schedule() {
    guard !isScheduled, !isDraining else { return }
    isScheduled = true
    loop.execute { self.drain() }
  }

  /// Runs the ready jobs, then flushes. Must be called on the loop.
  func drain() {
    guard !isDraining else { return }
    isDraining = true
    isScheduled = false
    for _ in 0..<Self.rounds {
      if !runReady() { break }
    }
    isDraining = false
    if !ready.isEmpty || !flushes.isEmpty {
      isScheduled = true
      loop.scheduleTask(in: Self.pause) { self.drain() }
    }
  }

  /// Runs one round. Returns whether there was anything to do.
  private func runReady() -> Bool {
    let arrived = self.arrived.withLock { arrived in
      defer { if !arrived.isEmpty { arrived = [] } }
      return arrived
    }
    if ready.isEmpty, arrived.isEmpty, flushes.isEmpty { return false }
    let jobs = ready
    ready.removeAll(keepingCapacity: true)
    for job in jobs + arrived {
      fairShare.beginSlice()
      job.runSynchronously(on: asUnownedTaskExecutor())
    }
    for flush in flushes.take() { flush() }
    return true
  }
}
