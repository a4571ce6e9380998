import Foundation
import Logging
import UserDomain

/// Writes each line of the log as one JSON object to standard error.
struct JSONLogHandler: LogHandler {
  var logLevel: Logger.Level = .info
  var metadata: Logger.Metadata = [:]
  private let label: String

  init(label: String) {
    self.label = label
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var object: [String: String] = [:]
    for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }) {
      object[key] = "\(value)"
    }
    object["time"] = Timestamp.now.description
    object["level"] = event.level.rawValue
    object["logger"] = label
    object["message"] = "\(event.message)"
    guard let line = try? JSONEncoder.sorted.encode(object) else { return }  // Strings always encode.
    // A log that cannot be written must not end the service; there is nowhere left to say so.
    try? FileHandle.standardError.write(contentsOf: line + Data("\n".utf8))
  }
}

extension JSONEncoder {
  fileprivate static var sorted: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return encoder
  }
}
