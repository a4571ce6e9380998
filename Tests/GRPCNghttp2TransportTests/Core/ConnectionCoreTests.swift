import GRPCCore
import NIOCore
import Testing

@testable import GRPCNghttp2Transport

/// The start, the answer and the end of calls.
@Suite struct ConnectionCoreTests {
  @Test("a unary call reaches its handler once its request is complete; its response has three frames")
  func unary() throws {
    var driver = CoreDriver()
    driver.open(1)
    #expect(driver.done() == [])
    driver.data(1, CoreDriver.messages("hi"))
    #expect(driver.done() == ["window 7", "window 1 7"])
    driver.data(1, [], ended: true)
    #expect(driver.done() == ["startHandler 1"])
    #expect(driver.read(1) == "metadata")
    #expect(driver.read(1) == "hi")
    #expect(driver.read(1) == "end")
    #expect(try driver.write(1, "hello") == .free)
    driver.finish(1)
    #expect(driver.done() == ["headers 1", "submitData 1", "data 1 10", "trailers ok 1"])
    #expect(driver.sent[1] == CoreDriver.messages("hello"))
    #expect(driver.isMemoryFree && driver.open.isEmpty)
  }

  @Test("a complete call is answered in one turn, and a status alone is one frame")
  func trailersOnly() {
    var driver = CoreDriver()
    driver.call(1)
    #expect(driver.done() == ["startHandler 1"])
    driver.finish(1, .notFound)
    #expect(driver.done() == ["window 7", "trailersOnly 200 notFound 1"])
    #expect(driver.isMemoryFree)
  }

  @Test(
    "requests that are not gRPC, or violate its rules, are answered without a handler",
    arguments: [
      ([(":method", "GET")], ["http 405 1", "submitData 1", "data 1 32"]),
      ([(":method", "HEAD")], ["http 405 end 1"]),
      ([("content-type", "text/html")], ["http 415 1", "submitData 1", "data 1 54"]),
      ([("grpc-timeout", "1x")], ["trailersOnly 400 internalError 1"]),
      ([("x-bin", "*")], ["trailersOnly 400 internalError 1"]),
      ([(":path", "/t.T/None")], ["trailersOnly 200 unimplemented 1"]),
      ([("grpc-encoding", "br")], ["trailersOnly 200 unimplemented 1"]),
      ([("grpc-timeout", "0m")], ["trailersOnly 200 deadlineExceeded 1"]),
      ([("x", String(repeating: "x", count: 9_000))], ["trailersOnly 200 resourceExhausted 1"]),
      ([(":authority", "a b")], ["reset 1 PROTOCOL_ERROR"]),
      ([("connection", "close")], ["reset 1 PROTOCOL_ERROR"]),
    ] as [([(String, String)], [String])])
  func refused(fields: [(String, String)], done: [String]) {
    var driver = CoreDriver()
    driver.open(1, .unary, fields, ended: true)
    #expect(driver.done() == done)
    #expect(driver.isMemoryFree && driver.open.isEmpty)
  }

  @Test("a request that is not gRPC is answered when it has ended, or is overdue")
  func http() {
    var driver = CoreDriver()
    driver.open(1, .unary, [("content-type", "a/b")])
    driver.open(3, .unary, [("content-type", "a/b")])
    driver.data(3, [1, 2, 3])
    #expect(driver.done() == ["window 3", "window 3 3"])
    driver.data(3, [], ended: true)
    #expect(driver.done() == ["http 415 3", "submitData 3", "data 3 54"])
    driver.pass(.seconds(61))
    #expect(driver.done() == ["http 415 1", "submitData 1", "data 1 54", "reset 1 NO_ERROR"])
    #expect(driver.isMemoryFree)
  }

  @Test("a response that ends before its request asks the client to stop sending")
  func earlyEnd() {
    var driver = CoreDriver()
    driver.open(1, .upload)
    #expect(driver.done() == ["startHandler 1"])
    driver.finish(1, .permissionDenied)
    #expect(driver.done() == ["trailersOnly 200 permissionDenied 1", "reset 1 NO_ERROR"])
    #expect(driver.isMemoryFree && driver.open.isEmpty)
  }

  @Test("data after the status is dropped, and its window returned")
  func afterStatus() throws {
    var driver = CoreDriver { $0.writeBufferSize = 100 }
    driver.clientWindow = 0
    driver.open(1, .upload)
    _ = driver.done()
    _ = try driver.write(1, "x")
    driver.finish(1)
    driver.data(1, CoreDriver.messages("late"))
    #expect(driver.done().contains("window 9") == true)
    #expect(driver.core.memory.unread == 0)
  }

  @Test("a call whose handler ends without a status fails")
  func noStatus() {
    var driver = CoreDriver()
    driver.call(1)
    _ = driver.done()
    driver.core.taskEnded(1)
    #expect(driver.done() == ["trailersOnly 200 internalError 1", "window 7"])
  }

  @Test("reserved metadata fails the write, and in a status the call")
  func reservedMetadata() {
    var driver = CoreDriver()
    driver.call(1)
    _ = driver.done()
    #expect(throws: RPCError.self) { try driver.core.write(1, .metadata(["grpc-status": "0"])) }
    #expect(throws: RPCError.self) { try driver.core.write(1, .metadata(["grpc-encoding": "br"])) }
    #expect(throws: Never.self) {
      try driver.core.write(1, .status(Status(code: .ok, message: ""), ["te": "x"]))
    }
    #expect(driver.done() == ["window 7", "trailersOnly 200 internalError 1", "closed 1"])
    // Late metadata is dropped; a late message reports the end to the handler.
    #expect(throws: Never.self) { try driver.core.write(1, .metadata(["a": "b"])) }
    #expect(throws: CancellationError.self) { try driver.write(1, "x") }
  }

  @Test("a message that exceeds the limit is refused")
  func largeMessage() {
    var driver = CoreDriver { $0.maxSendMessageSize = 3 }
    driver.call(1)
    _ = driver.done()
    #expect(throws: RPCError.self) { try driver.write(1, "four") }
    #expect(throws: Never.self) { try driver.write(1, "two") }
  }

  @Test("responses are compressed if the client accepts it, and a handler may choose the encoding")
  func encoding() throws {
    let text = String(repeating: "a", count: 2_000)
    var driver = CoreDriver { $0.compression = .gzip }
    driver.call(1, .unary, [("grpc-accept-encoding", "gzip,deflate")])
    driver.call(3)
    driver.call(5, .unary, [("grpc-accept-encoding", "gzip,deflate")])
    _ = driver.done()
    for id in [1, 3, 5] as [Int32] {
      if id == 5 { try driver.core.write(5, .metadata(["grpc-encoding": "identity"])) }
      _ = try driver.write(id, text)
      driver.finish(id)
    }
    let done = driver.done()
    #expect(done.contains("headers gzip 1") && done.contains("headers 3"))
    #expect(driver.sent[1]?.first == 1 && driver.sent[1]!.count < 100)
    #expect(driver.sent[3] == CoreDriver.messages(text))
    #expect(driver.sent[5] == CoreDriver.messages(text))
  }

  @Test("a client that resets its call cancels the handler, whose writes and reads then fail")
  func reset() {
    var driver = CoreDriver()
    driver.open(1, .talk)
    #expect(driver.done() == ["startHandler 1"])
    #expect(driver.read(1) == "metadata")
    #expect(driver.read(1) == "wait")
    driver.close(1)
    #expect(driver.done() == ["cancel 1", "closed 1"])
    #expect(driver.read(1, waits: false) == "callEnded")
    #expect(throws: CancellationError.self) { try driver.write(1, "x") }
    #expect(driver.core.awaitRoom(1) == .callEnded)
    driver.finish(1)
    #expect(driver.done() == [])
    #expect(driver.core.read(1).map { CoreDriver.text($0) } == "callEnded")
    #expect(driver.core.room(1) == .callEnded && driver.core.awaitRoom(1) == .callEnded)
    #expect(driver.isMemoryFree)
  }

  @Test("a call that is reset before its start is never started")
  func resetAtOnce() {
    var driver = CoreDriver()
    driver.call(1)
    driver.close(1)
    #expect(driver.done() == ["window 7"])
    #expect(driver.isMemoryFree)
  }

  @Test("a stream beyond the limit is refused; a task counts until it has ended, even after its stream")
  func streamLimit() {
    var driver = CoreDriver { $0.maxConcurrentStreams = 2 }
    driver.open(1, .talk)
    driver.open(3, .talk)
    driver.open(5, .talk)
    #expect(driver.done() == ["startHandler 1", "startHandler 3", "reset 5 REFUSED_STREAM"])
    driver.close(1)
    driver.open(7, .talk)
    #expect(driver.done() == ["cancel 1", "closed 1", "reset 7 REFUSED_STREAM"])
    driver.finish(1)
    driver.open(9, .talk)
    #expect(driver.done() == ["startHandler 9"])
  }

  @Test("a header block that decodes to far more than the limit ends the connection")
  func bomb() {
    var driver = CoreDriver()
    driver.headers(
      1, (0..<200).map { ("x\($0)", String(repeating: "x", count: 1_000)) }, ended: true)
    #expect(driver.done() == ["goAway ENHANCE_YOUR_CALM: a header list is far larger than the limit"])
    #expect(driver.core.end.mustClose)
  }
}
