public import Logging
import Synchronization

/// A log whose lines tests read.
public final class RecordedLog: Sendable {
  /// A line of the log.
  public struct Line: Sendable {
    public let level: Logger.Level
    public let message: String
    public let metadata: [String: String]
  }

  private let recorded = Mutex<[Line]>([])

  public init() {}

  /// The lines logged so far.
  public var lines: [Line] { recorded.withLock { $0 } }

  /// A logger whose lines of `level` and above are recorded.
  public func logger(_ level: Logger.Level = .info) -> Logger {
    var logger = Logger(label: "test") { [self] _ in Handler(log: self) }
    logger.logLevel = level
    return logger
  }

  private struct Handler: LogHandler {
    let log: RecordedLog
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let all = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
      log.recorded.withLock {
        $0.append(Line(level: event.level, message: event.message.description, metadata: all))
      }
    }
  }
}
