import Logging

/// Passes each log record to a ``LogWriter``.
struct QueuedLogHandler: LogHandler {
  var logLevel: Logger.Level = .info
  var metadata: Logger.Metadata = [:]
  private let label: String
  private let writer: LogWriter

  init(label: String, writer: LogWriter) {
    self.label = label
    self.writer = writer
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var all = event.metadata ?? [:]
    if !metadata.isEmpty { all.merge(metadata) { given, _ in given } }
    if let error = event.error { all["error"] = "\(error)" }
    writer.write(
      LogLine(
        level: event.level, label: label, source: event.source, message: event.message.description,
        metadata: all))
  }
}
