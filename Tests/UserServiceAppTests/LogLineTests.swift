import Foundation
import Logging
import Testing
import UserDomain

@testable import UserServiceApp

@Suite struct LogLineTests {
  private static func line(_ metadata: Logger.Metadata = [:], message: String = "a message") -> LogLine {
    LogLine(level: .warning, label: "test", source: "Tests", message: message, metadata: metadata)
  }

  private static func object(_ line: LogLine) throws -> [String: String] {
    let object = try JSONSerialization.jsonObject(with: Data(line.json.utf8))
    return try #require(object as? [String: String])
  }

  @Test("as text, a line has its time, level, label, metadata sorted by key, source and message")
  func text() throws {
    let text = Self.line(["status": "ok", "duration_ms": "3"]).text
    let match = try #require(
      text.wholeMatch(of: /(\S+) (warning test: duration_ms=3 status=ok \[Tests\] a message)/))
    #expect(match.1.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d{4}/) != nil)
  }

  @Test("as JSON, a line is one object with the time in UTC")
  func json() throws {
    let time = Timestamp(microsecondsSinceEpoch: 1_700_000_000_123_456)
    let line = LogLine(
      time: time, level: .info, label: "test", source: "Tests", message: "a\n\"message\"",
      metadata: ["a": "1"])
    #expect(
      try Self.object(line) == [
        "time": time.description, "level": "info", "logger": "test", "message": "a\n\"message\"", "a": "1",
      ])
    #expect(!line.json.contains("\n"))
  }

  @Test("metadata cannot replace the fixed fields of a line")
  func reserved() throws {
    let object = try Self.object(Self.line(["message": "forged", "level": "forged", "time": "forged"]))
    #expect(object["message"] == "a message" && object["level"] == "warning" && object["time"] != "forged")
  }

  @Test("a value cannot end its line, imitate another key, or control a terminal")
  func forgery() {
    let line = Self.line(
      [
        "peer": "unix:/run/x\n2026-01-01T00:00:00Z info: forged", "other": "a principal=\"admin\" \\",
        "plain": "ipv4:127.0.0.1:5", "empty": "", "colour": "\u{1B}[31m\u{9B}\u{202E}",
      ], message: "a\nb")
    #expect(
      line.text.hasSuffix(
        #" warning test: colour="\u{1B}[31m\u{9B}\u{202E}" empty="" other="a principal=\"admin\" \\" "#
          + #"peer="unix:/run/x\n2026-01-01T00:00:00Z info: forged" plain=ipv4:127.0.0.1:5 [Tests] a\nb"#),
      "\(line.text)")
    #expect(!line.json.contains("\n"))
  }
}

@Suite struct QueuedLogHandlerTests {
  private struct Cause: Error, CustomStringConvertible {
    let description = "the cause"
  }

  /// Returns the lines that `body` logs, as JSON objects.
  private static func lines(_ body: (inout Logger) -> Void) throws -> [[String: String]] {
    let pipe = Pipe()
    let writer = LogWriter(pipe.fileHandleForWriting.fileDescriptor) { $0.json }
    var logger = Logger(label: "test") { QueuedLogHandler(label: $0, writer: writer) }
    body(&logger)
    writer.flush(timeout: .seconds(60))
    // A few short lines fit into the pipe, so none of them waits for the reader.
    try pipe.fileHandleForWriting.close()
    return try pipe.fileHandleForReading.readDataToEndOfFile().split(separator: UInt8(ascii: "\n")).map {
      try #require(try JSONSerialization.jsonObject(with: $0) as? [String: String])
    }
  }

  @Test("messages below the level are not written")
  func level() throws {
    let lines = try Self.lines { logger in
      logger.debug("hidden")
      logger.info("shown")
      logger.logLevel = .error
      logger.warning("hidden")
      logger.error("shown too")
    }
    #expect(lines.map { $0["message"] } == ["shown", "shown too"])
    #expect(lines.map { $0["level"] } == ["info", "error"])
  }

  @Test("a line has the logger's metadata, overridden by the call's own, and the error")
  func metadata() throws {
    let lines = try Self.lines { logger in
      logger[metadataKey: "service"] = "users"
      logger[metadataKey: "peer"] = "everyone"
      logger.error("failed", error: Cause(), metadata: ["peer": "ada"])
      logger.info("later")
    }
    #expect(lines[0]["service"] == "users" && lines[0]["peer"] == "ada" && lines[0]["error"] == "the cause")
    #expect(lines[1]["peer"] == "everyone" && lines[1]["error"] == nil)
    #expect(lines[0]["logger"] == "test")
  }
}
