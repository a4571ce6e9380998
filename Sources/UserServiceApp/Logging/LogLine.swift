import Foundation
import Logging
import UserDomain

/// A log record before it is rendered.
struct LogLine: Sendable {
  let time: Timestamp
  let level: Logger.Level
  let label: String
  let source: String
  let message: String
  let metadata: Logger.Metadata

  init(
    time: Timestamp = .now, level: Logger.Level, label: String, source: String, message: String,
    metadata: Logger.Metadata = [:]
  ) {
    self.time = time
    self.level = level
    self.label = label
    self.source = source
    self.message = message
    self.metadata = metadata
  }

  /// The record for people: `TIME LEVEL LABEL: KEY=VALUE … [SOURCE] MESSAGE`, in local time.
  ///
  /// Text from peers and files can neither end the line nor imitate another key. A value with spaces, quotes or `=`
  /// is quoted, and terminal controls are escaped.
  var text: String {
    var line = "\(localTime) \(level) \(label):"
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
      line += " \(key)="
      Self.append("\(value)", to: &line)
    }
    line += " [\(source)] "
    line += message.escapingControls
    return line
  }

  /// The record as one JSON object: `time` (UTC), `level`, `logger`, `message`, and the metadata as strings.
  var json: String {
    var object: [String: String] = [:]
    for (key, value) in metadata { object[key] = "\(value)" }
    object["time"] = time.description
    object["level"] = level.rawValue
    object["logger"] = label
    object["message"] = message
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // A dictionary of strings always encodes.
    return (try? encoder.encode(object)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }

  private static func append(_ value: String, to line: inout String) {
    let isPlain = value.utf8.allSatisfy { byte in
      (0x21...0x7e).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "=")
        && byte != UInt8(ascii: "\\")
    }
    if isPlain, !value.isEmpty {
      line += value
    } else {
      let quoted = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").escapingControls
      line += "\"\(quoted)\""
    }
  }

  private var localTime: String {
    var seconds = Foundation.time(nil)
    var parts = tm()
    localtime_r(&seconds, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
      // The format gives 24 characters and a NUL.
      guard let base = buffer.baseAddress, strftime(base, buffer.count, "%Y-%m-%dT%H:%M:%S%z", &parts) > 0
      else { return "" }
      return String(cString: base)
    }
  }
}
