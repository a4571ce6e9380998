import DequeModule
import NIOCore

/// Suspends handlers that have run on the event loop for longer than a slice, as ``LongRunners`` decides.
///
/// `@unchecked Sendable`: all mutable state is used only on `loop`.
final class FairShare: @unchecked Sendable {
  private let loop: any EventLoop
  private var longRunners = LongRunners()
  private var yielding: Deque<CheckedContinuation<Void, Never>> = []
  /// When the running handler started its slice.
  private var sliceStart = NIODeadline.distantPast

  init(loop: any EventLoop) {
    self.loop = loop
  }

  /// Records the start of a call. Must be called on the loop.
  func callBegan() { longRunners.callBegan() }

  /// Records that a handler starts or resumes. Must be called on the loop.
  func beginSlice() { sliceStart = loop.now }

  /// Whether this is the loop's thread and the running handler has used up its slice.
  var hasUsedSlice: Bool { loop.inEventLoop && loop.now - sliceStart > LongRunners.slice }

  /// Yields the loop to other handlers, for a handler that ``hasUsedSlice``. Apart from the question, because an async call
  /// costs more than the answer.
  func yield() async {
    await withCheckedContinuation { continuation in
      yielding.append(continuation)
      act(longRunners.began(now: loop.now))
    }
  }

  private func act(_ step: LongRunners.Step) {
    switch step {
    case .nothing: break
    case .look(let time):
      loop.scheduleTask(deadline: time) { self.act(self.longRunners.looked(now: self.loop.now)) }
    case .resume:
      yielding.popFirst()?.resume()
      // Scheduled after the drain that runs its job.
      loop.execute { self.act(self.longRunners.resumed(now: self.loop.now)) }
    }
  }
}
