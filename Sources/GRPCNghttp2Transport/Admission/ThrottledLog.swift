import Logging
import NIOCore
import Synchronization

/// A log line whose rate a client could control. It is written at once, and then at most once an interval, with
/// `count`, the number of events since the previous line.
final class ThrottledLog: Sendable {
  private struct State {
    var count = 0
    var last: Logger.Metadata = [:]
    /// Whether the interval after a line is running.
    var isWaiting = false
  }

  private let state = Mutex(State())
  private let logger: Logger
  private let level: Logger.Level
  private let message: Logger.Message
  private let interval: TimeAmount
  private let loop: any EventLoop

  /// - Parameter loop: schedules the lines.
  init(
    _ message: Logger.Message, level: Logger.Level, every interval: TimeAmount, logger: Logger,
    loop: any EventLoop
  ) {
    self.message = message
    self.level = level
    self.interval = interval
    self.logger = logger
    self.loop = loop
  }

  /// Records an event. The line contains the metadata of the last one.
  func note(_ metadata: Logger.Metadata = [:]) {
    let isFirst = state.withLock { state in
      state.count += 1
      state.last = metadata
      defer { state.isWaiting = true }
      return !state.isWaiting
    }
    if isFirst { write() }
  }

  /// Writes the line for recorded events at once.
  func flush() {
    if state.withLock({ $0.count > 0 }) { write() }
  }

  private func write() {
    let (count, metadata) = state.withLock { state in
      let due = (state.count, state.last)
      (state.count, state.last) = (0, [:])
      if due.0 == 0 { state.isWaiting = false }
      return due
    }
    guard count > 0 else { return }
    logger.log(level: level, message, metadata: metadata.merging(["count": "\(count)"]) { $1 })
    loop.scheduleTask(in: interval) { self.write() }
  }
}
