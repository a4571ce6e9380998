import Foundation
import Logging
import Testing

@testable import UserServiceApp

@Suite struct LogWriterTests {
  private static func line(_ message: String) -> LogLine {
    LogLine(level: .info, label: "test", source: "Tests", message: message)
  }

  @Test("lines that do not fit are dropped and counted, and the log reports it once it is read again")
  func dropped() async throws {
    let pipe = Pipe()
    let writer = LogWriter(pipe.fileHandleForWriting.fileDescriptor) { $0.message }
    let long = String(repeating: "x", count: 9_999)
    // Fills the kernel's buffer, the lines being written, and the queue.
    for _ in 0..<400 { writer.write(Self.line(long)) }
    let dropped = writer.droppedLines
    #expect(dropped > 150)
    // Returns although the pipe is not read.
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
    #expect(lines.contains("\(dropped) log lines were dropped because the log was not read in time"))
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
}
