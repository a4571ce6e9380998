import Foundation
import Logging
import Synchronization

/// Writes log lines to a file descriptor on its own thread, so that no call waits for the log's reader.
///
/// At most ``capacity`` bytes are queued, and as many again are being written. Lines that do not fit, or cannot be
/// written, are dropped and counted. The next line that can be written reports the count.
final class LogWriter: Sendable {
  /// The most bytes of queued lines.
  static let capacity = 1 << 20

  private struct State {
    var lines: [UInt8] = []
    /// Lines dropped since the log last reported it.
    var dropped = 0
    /// Whether the thread is running or has been woken.
    var isAwake = false
    var isStarted = false
    var flushed: [DispatchSemaphore] = []
  }

  private let state = Mutex(State())
  private let wake = DispatchSemaphore(value: 0)
  private let descriptor: CInt
  private let render: @Sendable (LogLine) -> String
  private let total = Atomic<Int>(0)

  /// The log of this process on standard error, as text.
  static let text = LogWriter(STDERR_FILENO) { $0.text }
  /// The log of this process on standard error, as JSON. A process uses only one of the two, which keeps lines whole.
  static let json = LogWriter(STDERR_FILENO) { $0.json }

  /// - Parameters:
  ///   - descriptor: where to write; the caller keeps ownership.
  ///   - render: returns a line's text without its line ending.
  init(_ descriptor: CInt, render: @escaping @Sendable (LogLine) -> String) {
    self.descriptor = descriptor
    self.render = render
  }

  /// The number of lines dropped since the start.
  var droppedLines: Int { total.load(ordering: .relaxed) }

  /// Queues `line`, or drops it if the queue is full. Does not block.
  func write(_ line: LogLine) {
    var text = render(line)
    text.append("\n")
    let (wakes, starts) = state.withLock { state in
      if state.lines.count + text.utf8.count <= Self.capacity {
        state.lines.append(contentsOf: text.utf8)
      } else {
        state.dropped += 1
        total.add(1, ordering: .relaxed)
      }
      defer { (state.isAwake, state.isStarted) = (true, true) }
      return (!state.isAwake, !state.isStarted)
    }
    if starts { Thread.detachNewThread { self.run() } }
    if wakes { wake.signal() }
  }

  /// Waits until every line is written, or until `timeout` has passed.
  func flush(timeout: DispatchTimeInterval) {
    let flushed: DispatchSemaphore? = state.withLock { state in
      guard state.isAwake else { return nil }
      let flushed = DispatchSemaphore(value: 0)
      state.flushed.append(flushed)
      return flushed
    }
    // After the timeout the remaining lines are lost when the process ends.
    _ = flushed?.wait(timeout: .now() + timeout)
  }

  private func run() -> Never {
    while true {
      wake.wait()
      var lines: [UInt8] = []
      while take(&lines) {
        let lost = Self.write(lines[...], to: descriptor)
        if lost > 0 { drop(lost) } else { reportDropped() }
      }
    }
  }

  /// Takes the queued lines and leaves the buffer of the last ones in their place. Returns false if the queue is
  /// empty.
  private func take(_ lines: inout [UInt8]) -> Bool {
    lines.removeAll(keepingCapacity: lines.capacity <= 65_536)
    return state.withLock { state in
      if state.lines.isEmpty {
        state.isAwake = false
        for waiter in state.flushed { waiter.signal() }
        state.flushed = []
        return false
      }
      swap(&state.lines, &lines)
      return true
    }
  }

  private func drop(_ count: Int) {
    state.withLock { $0.dropped += count }
    total.add(count, ordering: .relaxed)
  }

  private func reportDropped() {
    let count = state.withLock { state in
      defer { state.dropped = 0 }
      return state.dropped
    }
    guard count > 0 else { return }
    let line = LogLine(
      level: .warning, label: "user-service", source: "UserServiceApp",
      message: "\(count) log lines were dropped because the log was not read in time")
    let lost = Self.write(Array((render(line) + "\n").utf8)[...], to: descriptor)
    // Kept for the next report, which does not count this line itself.
    if lost > 0 { state.withLock { $0.dropped += count } }
  }

  /// Writes `bytes`, and returns how many of their lines could not be written.
  private static func write(_ bytes: ArraySlice<UInt8>, to descriptor: CInt) -> Int {
    var rest = bytes
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      if count >= 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        // Another process has set the shared descriptor to non-blocking mode.
        var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&poller, 1, -1)
      } else if errno != EINTR {
        return rest.count { $0 == UInt8(ascii: "\n") }
      }
    }
    return 0
  }
}
