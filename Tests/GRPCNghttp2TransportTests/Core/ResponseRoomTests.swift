import GRPCCore
import NIOCore
import Testing

@testable import GRPCNghttp2Transport

/// Back-pressure: output for clients that do not read.
@Suite struct ResponseRoomTests {
  private static let kilobyte = String(repeating: "x", count: 1_000)

  private func driver(_ change: (inout HTTP2Configuration) -> Void = { _ in }) -> CoreDriver {
    CoreDriver {
      $0.writeBufferSize = 10_000
      $0.connectionWriteBufferSize = 25_000
      change(&$0)
    }
  }

  /// A stream of responses whose client reads nothing, and whose writer waits.
  private func fullStream() throws -> CoreDriver {
    var driver = driver()
    driver.clientWindow = 0
    driver.call(1, .list)
    driver.run()
    for _ in 0..<11 { _ = try driver.write(1, Self.kilobyte) }
    _ = driver.core.awaitRoom(1)
    _ = driver.done()
    return driver
  }

  @Test("a writer waits when its buffer is full, and resumes when half of it has been read")
  func writer() throws {
    var driver = driver()
    driver.clientWindow = 0
    driver.call(1, .list)
    #expect(driver.done() == ["startHandler 1"])
    for _ in 0..<9 { #expect(try driver.write(1, Self.kilobyte) == .free) }
    #expect(driver.core.awaitRoom(1) == .free)
    #expect(try driver.write(1, Self.kilobyte) == .full)
    #expect(driver.core.awaitRoom(1) == .full)
    driver.run()
    driver.clientWindow = 3_000
    #expect(driver.done().contains("resumeWriters 1") == false)
    driver.clientWindow = 3_000
    #expect(driver.done().contains("resumeWriters 1") == true)
    driver.clientWindow = nil
    driver.finish(1)
    driver.run()
    #expect(driver.isMemoryFree && driver.sent[1]!.count == 10_050)
  }

  @Test("the writers of a closed call fail")
  func closed() throws {
    var driver = try fullStream()
    driver.close(1)
    #expect(driver.done() == ["window 7", "cancel 1", "closed 1"])
    driver.core.taskEnded(1)
    #expect(driver.isMemoryFree)
  }

  @Test("streams of responses start one after another while the connection's buffer is full")
  func streamsWait() throws {
    var driver = driver()
    driver.clientWindow = 0
    for id in [1, 3, 5, 7] as [Int32] { driver.call(id, .list) }
    #expect(
      driver.done().filter { $0.hasPrefix("start") } == [
        "startHandler 1", "startHandler 3", "startHandler 5",
      ])
    for id in [1, 3, 5] as [Int32] {
      for _ in 0..<11 { _ = try driver.write(id, Self.kilobyte) }
      _ = driver.core.awaitRoom(id)
    }
    driver.run()
    driver.clientWindow = nil
    let done = driver.done()
    #expect(done.contains("startHandler 7") && done.contains("resumeWriters 5"))
    for id in [1, 3, 5, 7] as [Int32] { driver.finish(id) }
    driver.run()
    #expect(driver.isMemoryFree)
  }

  @Test("a call that is reset while it waits for room is removed")
  func waitsAndIsReset() throws {
    var driver = driver()
    driver.clientWindow = 0
    for id in [1, 3, 5, 7] as [Int32] { driver.call(id, .list) }
    driver.run()
    driver.close(7)
    driver.run()
    #expect(driver.core.waitingForRoom.isEmpty)
  }

  @Test("a stream of requests reads no message while the connection's buffer is full")
  func readerWaits() throws {
    var driver = driver()
    driver.clientWindow = 0
    driver.open(1, .talk)
    for id in [3, 5, 7] as [Int32] { driver.call(id, .list) }
    driver.run()
    for id in [3, 5, 7] as [Int32] {
      for _ in 0..<9 { _ = try driver.write(id, Self.kilobyte) }
    }
    _ = driver.read(1)
    driver.data(1, CoreDriver.messages("a"))
    #expect(driver.read(1) == "wait")
    _ = driver.done()
    driver.clientWindow = nil
    driver.run()
    #expect(driver.done().contains("resumeReader 1 a") || driver.read(1) == "a")
  }

  @Test("unread responses are reset in favour of waiting calls")
  func stalled() throws {
    var driver = driver()
    driver.clientWindow = 0
    for id in [1, 3, 5, 7] as [Int32] { driver.call(id, .list) }
    driver.run()
    for id in [1, 3, 5] as [Int32] {
      for _ in 0..<11 { _ = try driver.write(id, Self.kilobyte) }
      _ = driver.core.awaitRoom(id)
    }
    driver.run()
    _ = driver.done()
    #expect(driver.core.wakeup <= driver.now + .seconds(10))
    driver.pass(.seconds(11))
    let done = driver.done()
    #expect(
      done.contains("reset 1 CANCEL") && done.contains("reset 3 CANCEL") && done.contains("reset 5 CANCEL"))
    #expect((done + driver.done()).contains("startHandler 7"))
  }

  @Test("a response that is not read within the send time-out is reset")
  func sendTimeout() throws {
    var driver = try fullStream()
    driver.clientWindow = 100
    driver.pass(.seconds(290))
    #expect(driver.done() == ["data 1 100"])
    // A few bytes are not progress.
    driver.pass(.seconds(11))
    #expect(driver.done().contains("reset 1 CANCEL") == true)
  }

  @Test("reading restarts the send time-out")
  func readsOn() throws {
    var driver = driver { $0.writeBufferSize = 64_000 }
    driver.clientWindow = 0
    driver.call(1, .list)
    driver.run()
    for _ in 0..<60 { _ = try driver.write(1, Self.kilobyte) }
    driver.run()
    for _ in 0..<3 {
      driver.pass(.seconds(200))
      driver.clientWindow = 16_384
      #expect(driver.done().contains("reset 1 CANCEL") == false)
    }
    driver.clientWindow = nil
    driver.run()
    #expect(driver.sent[1]?.count == 60 * 1_005)
  }

  @Test("frames of removed streams are ignored")
  func gone() {
    var driver = driver()
    #expect(driver.core.dataWanted(99, atMost: 10) == (0, true))
    let header = [UInt8](repeating: 0, count: 9)
    let goesOn = header.withUnsafeBytes {
      driver.core.dataSent(99, header: $0, count: 0, endsStream: false)
    }
    #expect(!goesOn)
    driver.core.headersSent(99, endsStream: true)
    driver.core.headersNotSent(99)
    #expect(driver.done() == ["reset 99 INTERNAL_ERROR"])
  }
}
