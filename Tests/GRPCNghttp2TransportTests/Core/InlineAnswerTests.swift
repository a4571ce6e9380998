import GRPCCore
import NIOCore
import Testing

@testable import GRPCNghttp2Transport

/// Calls answered by inline methods, and those whose messages they take.
@Suite struct InlineAnswerTests {
  private func response(_ text: String) -> ByteQueue { ByteQueue(CoreDriver.messages(text)) }

  private func answerLater(_ id: Int32, _ driver: inout CoreDriver) {
    var response = ByteQueue()
    _ = driver.core.inlineRequest(id, &response)
    driver.core.answersLater(id, response)
  }

  /// The message that an inline method is given.
  private func inlineMessage(_ id: Int32, _ driver: inout CoreDriver) -> ArraySlice<UInt8>? {
    var response = ByteQueue()
    guard let request = driver.core.inlineRequest(id, &response) else { return nil }
    return request.message
  }

  @Test("an inline method answers a complete, uncompressed call in three frames")
  func answered() {
    var driver = CoreDriver()
    driver.call(1, .inlineUnary)
    #expect(driver.done() == ["answer 1"])
    #expect(inlineMessage(1, &driver).map { Array($0) } == Array("hi".utf8))
    driver.core.answered(1, response("yes"))
    #expect(driver.done() == ["window 7", "headers 1", "submitData 1", "data 1 8", "trailers ok 1"])
    #expect(driver.isMemoryFree && driver.open.isEmpty)
  }

  @Test("declined calls, and those that cannot be read inline, go to the handler")
  func declined() {
    var driver = CoreDriver { $0.compression = .gzip }
    driver.call(1, .inlineUnary)
    #expect(driver.done() == ["answer 1"])
    var buffer = ByteQueue()
    _ = driver.core.inlineRequest(1, &buffer)
    #expect(driver.core.declined(1, buffer).map { "\($0)" } == "startHandler(1)")
    // A compressed request, one with compressed responses, and a malformed one.
    driver.open(3, .inlineUnary, [("grpc-encoding", "gzip")])
    driver.data(3, [1, 0, 0, 0, 1, 0], ended: true)
    driver.call(5, .inlineUnary, [("grpc-accept-encoding", "gzip")])
    driver.open(7, .inlineUnary, ended: true)
    #expect(driver.done() == ["startHandler 3", "startHandler 5", "startHandler 7"])
    #expect(inlineMessage(99, &driver) == nil)
    #expect(driver.core.declined(99) == nil)
  }

  @Test("a late answer has a task, a deadline and a limit")
  func later() {
    var driver = CoreDriver { $0.maxSendMessageSize = 3 }
    for id in [1, 3, 5] as [Int32] {
      driver.call(id, .inlineUnary, [("grpc-timeout", "10S")])
      #expect(driver.done().last == "answer \(id)")
      answerLater(id, &driver)
      #expect(driver.core.deadline(id) == driver.now + .seconds(10))
    }
    driver.core.respond(1, .success(Array("yes".utf8)))
    driver.core.respond(3, .success(Array("four".utf8)))
    driver.core.respond(5, .failure(RPCError(code: .aborted, message: "")))
    for id in [1, 3, 5] as [Int32] { driver.core.taskEnded(id) }
    let done = driver.done()
    #expect(done.contains("trailers ok 1") && done.contains("trailersOnly 200 resourceExhausted 3"))
    #expect(done.contains("trailersOnly 200 aborted 5") && driver.isMemoryFree)
  }

  @Test("a call that has ended accepts no answer")
  func overBefore() {
    var driver = CoreDriver()
    driver.call(1, .inlineUnary)
    driver.run()
    answerLater(1, &driver)
    driver.close(1)
    _ = driver.done()
    driver.core.respond(1, .success([1]))
    driver.core.respond(1, .failure(RPCError(code: .aborted, message: "")))
    driver.core.answered(1, response("late"))
    driver.core.answersLater(1, response("late"))
    driver.core.streamTaken(1)
    #expect(driver.core.declined(1) == nil && inlineMessage(1, &driver) == nil)
    driver.core.taskEnded(1)
    #expect(driver.done() == [] && driver.isMemoryFree)
    driver.core.answered(1, response("late"))
    driver.core.refused(1, RPCError(code: .aborted, message: ""))
  }

  @Test("a streaming method does not keep its request, and may send at any time")
  func stream() {
    var driver = CoreDriver()
    driver.call(1, .inlineList, [("x", "y")])
    #expect(driver.done() == ["answer 1"])
    driver.core.streamTaken(1)
    #expect(driver.done() == ["window 7"] && driver.core.memory.calls == 0)
    driver.core.send(1, Array("a".utf8))
    #expect(driver.done() == ["headers 1", "submitData 1", "data 1 6"])
    driver.core.conclude(1, RPCError(code: .unavailable, message: ""))
    #expect(driver.done() == ["trailers unavailable 1", "closed 1"])
    driver.call(3, .inlineList)
    driver.run()
    driver.core.streamTaken(3)
    driver.close(3)
    #expect(driver.done().suffix(2) == ["cancel 3", "closed 3"] && driver.isMemoryFree)
  }

  @Test("a compressed request of a streaming method is inflated, or goes to the handler")
  func compressedStream() {
    var driver = CoreDriver()
    let deflater = Deflater()
    var message = ByteQueue()
    MessageFramer(encoding: .gzip, minSize: 0, deflater: deflater)
      .append(MessageBytes(Array(repeating: 65, count: 100)), to: &message)
    driver.open(1, .inlineList, [("grpc-encoding", "gzip")])
    driver.data(1, message.withUnsafeBytes { Array($0) }, ended: true)
    driver.open(3, .inlineList, [("grpc-encoding", "gzip")])
    driver.data(3, [1, 0, 0, 0, 1, 0], ended: true)
    #expect(driver.done() == ["answer 1", "answer 3"])
    #expect(inlineMessage(1, &driver)?.count == 100)
    #expect(inlineMessage(3, &driver) == nil)
  }

  // MARK: Taken messages

  private func taken(_ ids: Int32..., change: (inout HTTP2Configuration) -> Void = { _ in }) -> CoreDriver {
    var driver = CoreDriver(change)
    for id in ids {
      driver.open(id, .inlineTalk)
      driver.run()
      driver.core.taken(id)
    }
    driver.run()
    driver.log = []
    return driver
  }

  @Test("a method that takes messages has a task only while messages are available")
  func takes() {
    var driver = taken(1)
    #expect(driver.core.memory.calls == StreamAccount.waiting && driver.core.tasks == 0)
    driver.data(1, CoreDriver.messages("a", "b"))
    #expect(driver.done() == ["startTaker 1"])
    #expect(CoreDriver.text(driver.core.takeNext(1)) == "a")
    #expect(driver.core.take(.send(MessageBytes(Array("A".utf8))), isLast: false, 1) == .goesOn)
    #expect(CoreDriver.text(driver.core.takeNext(1)) == "b")
    #expect(driver.core.take(.next, isLast: false, 1) == .goesOn)
    #expect(CoreDriver.text(driver.core.takeNext(1)) == "wait")
    #expect(driver.core.takerEnded(1, hasConcluded: false) == true)
    #expect(driver.done() == ["window 12", "window 1 12", "submitData 1", "data 1 6"])
    driver.data(1, [], ended: true)
    #expect(driver.done() == ["startTaker 1"])
    #expect(CoreDriver.text(driver.core.takeNext(1)) == "end")
    #expect(driver.core.take(.end(MessageBytes([66]), nil), isLast: true, 1) == .concluded)
    #expect(driver.core.takerEnded(1, hasConcluded: true) == false)
    #expect(driver.done() == ["submitData 1", "data 1 6", "trailers ok 1"] && driver.isMemoryFree)
    #expect(driver.core.takeNext(1) == nil)
    #expect(driver.core.takerEnded(1, hasConcluded: false) == false)
  }

  @Test("a method may refuse a call, or decline it")
  func refuses() {
    var driver = CoreDriver()
    driver.open(1, .inlineTalk)
    driver.open(3, .inlineTalk)
    #expect(driver.done() == ["answer 1", "answer 3"])
    #expect(inlineMessage(1, &driver)?.count == 0)
    driver.core.refused(1, RPCError(code: .permissionDenied, message: ""))
    #expect(driver.core.declined(3).map { "\($0)" } == "startHandler(3)")
    #expect(driver.done() == ["trailersOnly 200 permissionDenied 1", "reset 1 NO_ERROR"])
  }

  @Test("a call that is cancelled during its task does not continue")
  func cancelled() {
    var driver = taken(1, 3)
    driver.data(1, CoreDriver.messages("a"))
    #expect(driver.done() == ["startTaker 1"])
    driver.close(1)
    driver.close(3)
    #expect(
      driver.done().filter { !$0.hasPrefix("window") } == ["cancel 1", "closed 1", "cancel 3", "closed 3"])
    #expect(driver.core.takeNext(1) == nil)
    #expect(driver.core.takerEnded(1, hasConcluded: false) == false)
    #expect(driver.isMemoryFree)
  }

  @Test("tasks that do not fit into the connection's memory wait for others to end")
  func waitForTasks() {
    var driver = taken(1, 3) {
      $0.maxConnectionMemory = 40_000
      $0.maxReceiveMessageSize = 1_000
    }
    driver.data(1, CoreDriver.messages("a"))
    driver.data(3, CoreDriver.messages("b"))
    #expect(driver.done() == ["startTaker 1"])
    _ = driver.core.takeNext(1)
    #expect(driver.core.takerEnded(1, hasConcluded: false) == true)
    #expect(driver.done().contains("startTaker 3") == true)
  }

  @Test("a call fails if its task can never fit into memory")
  func noMemory() {
    var driver = taken(1, 3, 5) {
      $0.maxConnectionMemory = 20_000
      $0.maxReceiveMessageSize = 1_000
    }
    driver.data(1, CoreDriver.messages("a"))
    #expect(driver.done().contains("startTaker 1") == true)
    #expect(CoreDriver.text(driver.core.takeNext(1)).hasPrefix("failure resourceExhausted"))
  }

  @Test("a method receives no message while its responses are not read")
  func backPressure() {
    var driver = taken(1) { $0.writeBufferSize = 100 }
    driver.clientWindow = 0
    driver.data(1, CoreDriver.messages("a", "b"))
    driver.run()
    _ = driver.core.takeNext(1)
    #expect(driver.core.take(.send(MessageBytes(repeating: 1, count: 200)), isLast: false, 1) == .goesOn)
    #expect(driver.core.takeNext(1) == nil)
    #expect(driver.core.takerEnded(1, hasConcluded: false) == true)
    #expect(!driver.done().suffix(2).contains("startTaker 1"))
    driver.clientWindow = nil
    #expect(driver.done().contains("startTaker 1") == true)
  }

  @Test("a method that does not end its call with the request fails it, and is asked nothing more")
  func notConcluded() {
    var driver = taken(1)
    driver.data(1, [], ended: true)
    #expect(driver.done() == ["startTaker 1"])
    #expect(CoreDriver.text(driver.core.takeNext(1)) == "end")
    #expect(driver.core.take(.next, isLast: true, 1) == .over)
    #expect(
      driver.core.take(.next, isLast: true, 1) == .over && driver.core.take(.next, isLast: false, 99) == .over
    )
    #expect(driver.core.takerEnded(1, hasConcluded: false) == false)
    #expect(driver.done() == ["trailers internalError 1"])
  }

  @Test("a message that is too large ends the call")
  func tooLarge() {
    var driver = taken(1) { $0.maxSendMessageSize = 3 }
    driver.data(1, CoreDriver.messages("a"))
    driver.run()
    _ = driver.core.takeNext(1)
    #expect(driver.core.take(.send(MessageBytes([1, 2, 3, 4])), isLast: false, 1) == .goesOn)
    #expect(driver.core.isUnanswered(1) == false)
    #expect(driver.core.isUnanswered(99) == false)
    #expect(driver.core.takerEnded(1, hasConcluded: false) == false)
    #expect(driver.done().contains("trailers resourceExhausted 1") == true)
  }
}
