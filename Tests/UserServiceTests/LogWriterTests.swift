import Foundation
import Logging
import Testing
import UserDomain

@testable import UserServiceApp

@Suite struct LogWriterTests {
  private static func line(_ message: String) -> LogLine {
    LogLine(level: .info, label: "test", source: "Tests", message: message)
  }

  @Test("what does not fit is dropped and counted, which the log says once it is read again")
  func dropped() async throws {
    let pipe = Pipe()
    let writer = LogWriter(pipe.fileHandleForWriting.fileDescriptor) { $0.message }
    let long = String(repeating: "x", count: 9_999)
    // The kernel's buffer, the lines that are being written, and those that wait, are full by then.
    for _ in 0..<400 { writer.write(Self.line(long)) }
    let dropped = writer.droppedLines
    #expect(dropped > 150)
    // The pipe is not read, and it returns all the same.
    writer.flush(timeout: .milliseconds(1))
    let lines = await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        var text = Data()
        while text.suffix(5) != Data("last\n".utf8) { text += pipe.fileHandleForReading.availableData }
        continuation.resume(returning: String(decoding: text, as: UTF8.self).split(separator: "\n"))
      }
      writer.flush(timeout: .seconds(60))
      writer.write(Self.line("last"))
    }
    #expect(lines.count { $0 == long } == 400 - dropped)
    #expect(lines.contains("\(dropped) lines of the log were dropped: it was not read in time"))
    #expect(writer.droppedLines == dropped)
  }

  @Test("lines that cannot be written are counted as dropped")
  func unwritable() throws {
    let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
    let writer = LogWriter(full.fileDescriptor) { $0.message }
    for _ in 0..<10 { writer.write(Self.line("line")) }
    writer.flush(timeout: .seconds(60))
    #expect(writer.droppedLines == 10)
  }

  @Test("a value cannot end its line, stand for another key, or reach a terminal")
  func forgery() {
    let line = LogLine(
      level: .info, label: "test", source: "Tests", message: "a\nb",
      metadata: [
        "peer": "unix:/run/x\n2026-01-01T00:00:00Z info: forged", "other": "a principal=\"admin\" \\",
        "plain": "ipv4:127.0.0.1:5", "empty": "", "colour": "\u{1B}[31m\u{9B}\u{202E}",
      ])
    #expect(
      line.text.hasSuffix(
        #" info test: colour="\u{1B}[31m\u{9B}\u{202E}" empty="" other="a principal=\"admin\" \\" "#
          + #"peer="unix:/run/x\n2026-01-01T00:00:00Z info: forged" plain=ipv4:127.0.0.1:5 [Tests] a\nb"#),
      "\(line.text)")
    #expect(!line.json.contains("\n"))
  }
}

@Suite struct ShutdownWatchTests {
  @Test("an end that hangs is an end all the same, with exit code 1")
  func hangs() async {
    await #expect(processExitsWith: .exitCode(1)) {
      let watch = ShutdownWatch(grace: .zero, margin: .milliseconds(50), writer: .text)
      watch.arm()
      while true { pause() }
    }
  }
}

@Suite struct DescriptorLimitTests {
  @Test(
    "as many connections as fit beside the reserve, and those on their way out",
    arguments: [
      (10_000, 1_048_576, 10_000), (10_000, 10_785, 10_000), (10_000, 1_024, 814), (10_000, 300, 134),
      (10, 100, 10), (100, 100, 34), (5, 2, 1),
    ])
  func connections(wanted: Int, limit: Int, fit: Int) {
    #expect(DescriptorLimit.connections(wanted: wanted, limit: limit) == fit)
  }
}

@Suite struct ConfigurationFileTests {
  @Test(
    "where a text is not JSON is told by line and column",
    arguments: [
      ("", "line 1, column 1: a value is missing"), ("{\"a\": ", "line 1, column 7: a value is missing"),
      ("{\n  \"a\": 1\n  \"b\": 2\n}", "line 3, column 3: a comma or '}' is expected"),
      ("{\"a\": 1,}", "line 1, column 9: a name in quotes is expected"),
      ("{\"ä\": tru}", "line 1, column 7: a value is expected"),
      ("{\"a\": 01}", "line 1, column 7: a value is expected"),
      ("{\"a\" 1}", "line 1, column 6: a colon is expected"),
      ("{\"a\": \"x", "line 1, column 9: a closing quote is missing"),
      ("{} x", "line 1, column 4: the end of the file is expected"),
      (String(repeating: "[", count: 100), "line 1, column 65: less nesting is expected"),
    ])
  func violations(text: String, words: String) {
    #expect(JSONSyntax.firstError(in: Data(text.utf8))?.description == words)
  }

  @Test(
    "what is JSON is taken",
    arguments: [
      "{}", " { \"a\" : [ 1 , -2.5e+3 , true, null, \"\\u00e9\\\"\" ] } \n", "\u{FEFF}{}", "[[],{}]", "5",
    ])
  func valid(text: String) {
    #expect(JSONSyntax.firstError(in: Data(text.utf8)) == nil)
  }
}
