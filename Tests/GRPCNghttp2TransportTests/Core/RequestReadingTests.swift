import GRPCCore
import NIOCore
import Testing

@testable import GRPCNghttp2Transport

/// Reading by handlers, and requests that violate the rules.
@Suite struct RequestReadingTests {
  @Test("a waiting handler receives what arrives, and the window of what it reads is returned")
  func streaming() {
    var driver = CoreDriver()
    driver.open(1, .upload)
    #expect(driver.done() == ["startHandler 1"])
    #expect(driver.read(1) == "metadata")
    #expect(driver.read(1) == "wait")
    driver.data(1, CoreDriver.messages("a", "b"))
    #expect(driver.done() == ["window 6", "window 1 6", "resumeReader 1 a"])
    #expect(driver.read(1) == "b")
    #expect(driver.read(1) == "wait")
    driver.data(1, [], ended: true)
    #expect(driver.done() == ["window 6", "window 1 6", "resumeReader 1 end"])
    #expect(driver.read(1) == "end")
    driver.finish(1)
    #expect(driver.done() == ["headers 1", "trailers ok 1"])
    #expect(driver.isMemoryFree)
  }

  @Test("the window of unread data is not returned")
  func window() {
    var driver = CoreDriver()
    driver.open(1, .upload)
    _ = driver.done()
    driver.data(1, CoreDriver.messages("one", "two"))
    #expect(driver.done() == [])
    #expect(driver.core.memory.unread == 16)
    _ = driver.read(1)
    #expect(driver.read(1) == "one")
    #expect(driver.done() == ["window 8", "window 1 8"])
    driver.data(1, [], ended: true)
    #expect(driver.read(1) == "two")
    // A half-closed client needs no window of its stream.
    #expect(driver.done() == ["window 8"])
  }

  @Test("a handler that stops waiting can wait again, unless it has already received a part")
  func stopsWaiting() {
    var driver = CoreDriver()
    driver.open(1, .talk)
    _ = driver.done()
    _ = driver.read(1)
    #expect(driver.core.stopAwaitingPart(1) == false)
    #expect(driver.read(1) == "wait")
    #expect(driver.core.stopAwaitingPart(1) == true)
    driver.data(1, CoreDriver.messages("a"))
    #expect(driver.done() == [])
    #expect(driver.read(1) == "a")
    #expect(driver.read(1) == "wait")
    driver.data(1, CoreDriver.messages("b"))
    driver.run()
    #expect(driver.core.stopAwaitingPart(1) == false)
    #expect(driver.core.stopAwaitingPart(99) == false)
  }

  @Test(
    "a unary request has one complete, permitted message (rules 7, 9, 10, 12)",
    arguments: [
      ([], "unimplemented: the method takes one message, but none was sent"),
      (CoreDriver.messages("a", "b"), "unimplemented: the method takes one message, but more were sent"),
      ([0, 0, 0], "internalError: the request ends within a message"),
      ([0, 0, 0, 0, 9, 1], "internalError: the request ends within a message"),
      ([2, 0, 0, 0, 0], "internalError: a message has reserved flags"),
      (
        [1, 0, 0, 0, 0],
        "internalError: a message is flagged as compressed, but grpc-encoding names no encoding"
      ),
      (
        [0, 0, 0, 1, 0],
        "resourceExhausted: a message of 256 bytes is larger than the limit of 100 bytes"
      ),
    ] as [([UInt8], String)])
  func malformed(bytes: [UInt8], failure: String) {
    var driver = CoreDriver { $0.maxReceiveMessageSize = 100 }
    driver.open(1)
    driver.data(1, bytes, ended: true)
    #expect(driver.done().contains("startHandler 1") == true)
    #expect(driver.read(1) == "metadata")
    #expect(driver.read(1) == "failure \(failure)")
    #expect(driver.core.memory.unread == 0)
    driver.finish(1, .unimplemented)
    driver.run()
    #expect(driver.isMemoryFree && driver.open.isEmpty)
  }

  @Test("a message that does not inflate fails its request")
  func inflate() {
    var driver = CoreDriver()
    driver.open(1, .unary, [("grpc-encoding", "gzip")])
    driver.data(1, [1, 0, 0, 0, 2, 9, 9], ended: true)
    _ = driver.done()
    _ = driver.read(1)
    #expect(driver.read(1).hasPrefix("failure internalError"))
    #expect(driver.read(1).hasPrefix("failure internalError"))
  }

  @Test(
    "a violation of HTTP/2 after a request's headers resets its stream, and cancels its handler",
    arguments: 0..<5)
  func brokenBody(kind: Int) {
    var driver = CoreDriver()
    driver.open(1, .talk, kind < 3 ? [("content-length", "3")] : [])
    #expect(driver.done() == ["startHandler 1"])
    switch kind {
    case 0: driver.data(1, [0, 0, 0, 0])
    case 1: driver.data(1, [0, 0], ended: true)
    case 2: driver.headers(1, [("x", "y")], ended: true)
    case 3: driver.headers(1, [(":path", "/")], ended: true)
    default: driver.headers(1, [("x", "y")], ended: false)
    }
    let done = driver.done()
    #expect(done.contains("cancel 1") && done.contains("reset 1 PROTOCOL_ERROR"))
    driver.core.taskEnded(1)
    #expect(driver.isMemoryFree && driver.open.isEmpty)
  }

  @Test("trailers end a request, and are ignored on a stream that is not open")
  func trailers() {
    var driver = CoreDriver()
    driver.open(1, .talk)
    _ = driver.done()
    driver.headers(1, [("x", "y")], ended: true)
    _ = driver.read(1)
    #expect(driver.read(1) == "end")
    driver.core.headersBegan(99, isRequest: false)
    driver.core.headersReceived(99, endsStream: true)
    driver.core.requestEnded(99)
    driver.core.streamClosed(99)
    driver.core.headersReceived(99, endsStream: true)
    #expect(driver.done() == [])
  }

  @Test("the window of DATA on a stream that is not open is returned")
  func strangers() {
    var driver = CoreDriver()
    driver.data(99, [1, 2, 3])
    #expect(driver.done() == ["window 3"])
  }

  @Test("calls hold at most the connection's memory limit")
  func memory() {
    var driver = CoreDriver {
      $0.maxConnectionMemory = 20_000
      $0.maxReceiveMessageSize = 5_000
    }
    driver.open(1, .talk)
    driver.open(3, .talk)
    driver.open(5, .talk)
    #expect(
      driver.done() == [
        "startHandler 1", "startHandler 3", "trailersOnly 200 resourceExhausted 5", "reset 5 NO_ERROR",
      ])
    _ = driver.read(1)
    #expect(driver.read(1) == "wait")
    driver.data(1, CoreDriver.messages(String(repeating: "x", count: 4_900)))
    #expect(driver.done().contains { $0.hasPrefix("resumeReader 1 failure resourceExhausted") })
    driver.finish(1)
    driver.finish(3)
    driver.run()
    driver.close(1)
    driver.close(3)
    driver.run()
    #expect(driver.isMemoryFree)
  }

  @Test("the memory for incomplete messages is bounded")
  func incomplete() {
    var driver = CoreDriver {
      $0.maxConnectionMemory = 20_000
      $0.maxReceiveMessageSize = 5_000
    }
    for id in [1, 3, 5, 7] as [Int32] {
      driver.open(id)
      driver.data(id, Array(CoreDriver.messages(String(repeating: "x", count: 5_000)).dropLast()))
    }
    let done = driver.done()
    #expect(done.filter { $0.hasPrefix("startHandler") || $0.hasPrefix("trailersOnly") }.count == 2)
    for id in [1, 3, 5, 7] as [Int32] { driver.close(id) }
    driver.run()
    driver.core.taskEnded(7)
    #expect(driver.isMemoryFree)
  }

  @Test("a connection refuses requests when the process's memory is exhausted")
  func budget() {
    var driver = CoreDriver(budget: 0)
    driver.open(1, .upload)
    _ = driver.done()
    driver.data(1, CoreDriver.messages(String(repeating: "x", count: 40_000)))
    driver.core.bytesTaken()
    driver.data(1, CoreDriver.messages("y"))
    _ = driver.read(1)
    #expect(driver.read(1).hasPrefix("failure resourceExhausted"))
  }
}
