import DequeModule
import NIOCore

/// Suspends handlers that have had the event loop for longer than a slice, as ``LongRunners`` decides.
///
/// `@unchecked Sendable`: all that changes is touched only on `loop`.
final class FairShare: @unchecked Sendable {
  private let loop: any EventLoop
  private var longRunners = LongRunners()
  private var yielding: Deque<CheckedContinuation<Void, Never>> = []
  /// When the handler that runs began to.
  private var sliceStart = NIODeadline.distantPast

  init(loop: any EventLoop) {
    self.loop = loop
  }

  /// A call has begun. On the loop only.
  func callBegan() { longRunners.callBegan() }

  /// A handler begins, or goes on. On the loop only.
  func beginSlice() { sliceStart = loop.now }

  /// Whether this is the loop, and the handler that runs has had it for a slice.
  var isSliceOver: Bool { loop.inEventLoop && loop.now - sliceStart > LongRunners.slice }

  /// Lets other handlers have the loop, if the one that runs has had it for a slice.
  func yieldIfDue() async {
    guard isSliceOver else { return }
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
      // Behind the drain that runs its job.
      loop.execute { self.act(self.longRunners.resumed(now: self.loop.now)) }
    }
  }
}
