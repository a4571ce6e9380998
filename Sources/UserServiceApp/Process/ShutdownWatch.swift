import Foundation
import Logging
import Synchronization

/// Ends the process with exit code 1 if a shutdown hangs: at a second signal, or a few seconds after the grace time.
///
/// It depends neither on event loops nor on Swift's threads, which may be the part that hangs.
final class ShutdownWatch: Sendable {
  /// The time that the database and the log may take after the grace time.
  static let margin: Duration = .seconds(5)

  private let grace: Duration
  private let margin: Duration
  private let writer: LogWriter
  private let signals = Mutex<(sources: [any DispatchSourceSignal], count: Int)>(([], 0))
  private let isArmed = Atomic(false)

  /// Creates a watch that reports through `writer` why it ends the process.
  init(grace: Duration, margin: Duration = ShutdownWatch.margin, writer: LogWriter) {
    self.grace = grace
    self.margin = margin
    self.writer = writer
  }

  /// Listens for SIGTERM and SIGINT until the process ends.
  func listen() {
    let queue = DispatchQueue(label: "shutdown-watch", qos: .userInteractive)
    for number in [SIGTERM, SIGINT] {
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler { [self] in
        let count = signals.withLock { signals in
          signals.count += 1
          return signals.count
        }
        if count == 1 { arm() } else { _exit(1) }
      }
      source.resume()
      signals.withLock { $0.sources.append(source) }
    }
  }

  /// Starts the countdown of the grace time and the margin.
  func arm() {
    guard !isArmed.exchange(true, ordering: .relaxed) else { return }
    let seconds = (grace + margin) / .seconds(1)
    Thread.detachNewThread { [writer] in
      Thread.sleep(forTimeInterval: seconds)
      writer.write(
        LogLine(
          level: .critical, label: "user-service", source: "UserServiceApp",
          message: "the service has not ended within the grace time: the process ends now"))
      writer.flush(timeout: .milliseconds(200))
      _exit(1)
    }
  }
}
