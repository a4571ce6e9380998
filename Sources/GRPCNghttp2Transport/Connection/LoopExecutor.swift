import NIOCore
import Synchronization

/// Runs the tasks that handle a connection's calls on the connection's event loop, in batches: what one turn
/// of the loop makes ready runs together, and then every connection with something to send writes once.
///
/// `@unchecked Sendable`: `arrived` has a lock; all else that changes is touched only on `loop`.
final class LoopExecutor: TaskExecutor, @unchecked Sendable {
  let loop: any EventLoop
  @exclusivity(unchecked) private var ready: [UnownedJob] = []
  @exclusivity(unchecked) private var flushes: [ConnectionHandler] = []
  /// A batch that needed more than this leaves its memory to the system.
  static let largestSpareBuffer = 512 * 1_024
  /// Memory for what a connection sends, which all connections of the loop use in turn. On the loop only.
  @exclusivity(unchecked) var spareBuffer = ByteBuffer()
  /// Memory for calls, which those of all connections use in turn. On the loop only.
  @exclusivity(unchecked) private var spareStreamMemory: [StreamMemory] = []
  private static let maxSpareStreamMemory = 256
  /// Compresses the responses of all connections of the loop. On the loop only.
  let deflater = Deflater()
  private var longRunners = LongRunners()
  private var resting: [CheckedContinuation<Void, Never>] = []
  /// When the handler that runs began to.
  private var sliceStart = NIODeadline.distantPast
  private var isScheduled = false
  private var isDraining = false
  private let arrived = Mutex<[UnownedJob]>([])

  /// Rounds in which jobs may make further jobs ready before sockets get their turn.
  private static let rounds = 4
  /// When what is left after them goes on. NIO runs everything that is due before it looks at its sockets.
  private static let pause = TimeAmount.microseconds(100)

  init(loop: any EventLoop) {
    self.loop = loop
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

  /// Runs `body` on the loop: now, if this is the loop.
  func run(_ body: @escaping @Sendable () -> Void) {
    if loop.inEventLoop { body() } else { loop.execute(body) }
  }

  /// Has `connection` flushed at the end of this turn. On the loop only.
  func flushLater(_ connection: ConnectionHandler) {
    flushes.append(connection)
    schedule()
  }

  /// Memory for a call. On the loop only.
  func takeStreamMemory() -> StreamMemory {
    if let spare = spareStreamMemory.popLast() { return spare }
    return StreamMemory()
  }

  /// A call is over, and its memory may serve another. On the loop only.
  func giveBack(_ memory: consuming StreamMemory) {
    guard memory.isReusable, spareStreamMemory.count < Self.maxSpareStreamMemory else { return }
    memory.clear()
    spareStreamMemory.append(memory)
  }

  /// A call has begun. On the loop only.
  func callBegan() { longRunners.callBegan() }

  /// A handler begins, or goes on. On the loop only.
  func beginSlice() { sliceStart = loop.now }

  /// Whether this is the loop, and the handler that runs has had it for a slice.
  var isSliceOver: Bool { isCurrent && loop.now - sliceStart > LongRunners.slice }

  /// Lets others have the loop, as ``LongRunners`` says.
  func rest() async {
    await withCheckedContinuation { continuation in
      run {
        self.resting.append(continuation)
        self.act(self.longRunners.began(now: self.loop.now))
      }
    }
  }

  /// Goes on on the loop.
  func comeBack() async {
    if isCurrent { return }
    await withCheckedContinuation { continuation in run { continuation.resume() } }
  }

  private func act(_ step: LongRunners.Step) {
    switch step {
    case .nothing: break
    case .look(let time):
      loop.scheduleTask(deadline: time) { self.act(self.longRunners.looked(now: self.loop.now)) }
    case .resume:
      resting.removeFirst().resume()
      // Behind the drain that runs its job.
      loop.execute { self.act(self.longRunners.resumed(now: self.loop.now)) }
    }
  }

  private func schedule() {
    guard !isScheduled, !isDraining else { return }
    isScheduled = true
    loop.execute { self.drain() }
  }

  /// Runs what is ready, and then flushes. On the loop only.
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

  /// Returns whether there was anything to do.
  private func runReady() -> Bool {
    let arrived = self.arrived.withLock { arrived in
      defer { if !arrived.isEmpty { arrived = [] } }
      return arrived
    }
    if ready.isEmpty, arrived.isEmpty, flushes.isEmpty { return false }
    let jobs = ready
    ready.removeAll(keepingCapacity: true)
    for job in jobs + arrived {
      beginSlice()
      job.runSynchronously(on: asUnownedTaskExecutor())
    }
    let connections = flushes
    flushes.removeAll(keepingCapacity: true)
    for connection in connections { connection.flush() }
    return true
  }
}
