import GRPCCore
import NIOCore
import Testing

@testable import GRPCNghttp2Transport

/// The end of connections, and timed events.
@Suite struct ConnectionEndTests {
  private static let acknowledgement: [UInt8] = [0, 0, 8, 6, 1, 0, 0, 0, 0] + Array(repeating: 0, count: 8)

  @Test("a shutdown sends GOAWAY twice, and ends with the last call (rule 21)")
  func shutDown() {
    var driver = CoreDriver()
    driver.call(1)
    #expect(driver.done() == ["startHandler 1"])
    driver.core.shutDown(now: driver.now)
    driver.core.shutDown(now: driver.now)
    #expect(driver.done() == ["goAwayNotice"])
    #expect(driver.receive(Self.acknowledgement) == true)
    #expect(driver.done() == ["goAway"] && !driver.core.end.mustClose)
    driver.call(3)
    #expect(driver.done() == ["reset 3 REFUSED_STREAM", "window 7"])
    driver.finish(1)
    _ = driver.done()
    #expect(driver.core.end.mustClose && driver.core.end.fault == nil)
    #expect(driver.receive([0]) == false)
  }

  @Test("a client that does not acknowledge the notice has the time of a round trip")
  func roundTrip() {
    var driver = CoreDriver()
    driver.core.shutDown(now: driver.now)
    _ = driver.done()
    driver.pass(.milliseconds(1_001))
    #expect(driver.done() == ["goAway"] && driver.core.end.mustClose)
  }

  @Test("calls that are cut off end with UNAVAILABLE, and their handlers are cancelled")
  func cutOff() {
    var driver = CoreDriver()
    driver.call(1)
    driver.open(3, .unary, [("content-type", "a/b")])
    driver.open(5)
    driver.run()
    driver.log = []
    driver.core.cutOff(.serverStops)
    let done = driver.done()
    #expect(done.prefix(2) == ["callsAreCutOff", "cancel 1"] || done.first == "callsAreCutOff")
    #expect(done.contains("cancel 1") && done.contains("trailersOnly 200 unavailable 1"))
    #expect(done.contains("http 415 3") && done.contains("trailersOnly 200 unavailable 5"))
  }

  @Test("a connection at its maximum age ends, and cuts off its calls after the grace time (rule 26)")
  func age() {
    var driver = CoreDriver {
      $0.keepalive.maxConnectionAge = .seconds(100)
      $0.keepalive.maxConnectionAgeGrace = .seconds(5)
    }
    driver.call(1)
    driver.run()
    driver.log = []
    driver.pass(.seconds(100))
    #expect(driver.done() == ["goAwayNotice"])
    driver.pass(.seconds(2))
    #expect(driver.done() == ["goAway"])
    driver.pass(.seconds(4))
    let done = driver.done()
    #expect(done.contains("cancel 1") && done.contains("trailersOnly 200 unavailable 1"))
    #expect(done.contains("goAway NO_ERROR: the connection has exceeded its maximum age and grace time"))
  }

  @Test("a connection without its socket cancels its calls, and ends with its last task (rule 20)")
  func lost() {
    var driver = CoreDriver()
    driver.call(1)
    driver.open(3)
    driver.run()
    driver.log = []
    driver.core.lost()
    driver.core.lost()
    #expect(driver.done() == ["window 7", "cancel 1", "closed 1"])
    driver.core.taskEnded(1)
    driver.core.taskEnded(99)
    #expect(driver.done() == ["ended"] && driver.isMemoryFree)
    var idle = CoreDriver()
    idle.core.lost()
    #expect(idle.done() == ["ended"])
    #expect(idle.receive([0]) == false)
  }

  @Test("preface and SETTINGS have a time-out (rule 26)")
  func settings() {
    var silent = CoreDriver(isSilent: true)
    #expect(silent.core.wakeup == silent.now + .seconds(20))
    silent.pass(.seconds(20))
    #expect(silent.done() == ["goAway PROTOCOL_ERROR: preface and SETTINGS did not arrive in time"])
    #expect(silent.receive([0]) == false)
    var slow = CoreDriver()
    #expect(slow.receive([0]) == true)
    slow.pass(.seconds(60))
    #expect(slow.done() == ["goAway ENHANCE_YOUR_CALM: a frame was not completed in time"])
  }

  @Test("a header block must be completed in time, even while its frames arrive (rule 30)")
  func headerBlock() {
    var driver = CoreDriver()
    #expect(driver.receive([0, 0, 0, 1, 0, 0, 0, 0, 1]) == true)
    driver.pass(.seconds(59))
    #expect(driver.done() == [])
    #expect(driver.receive([0, 0, 0, 9, 0, 0, 0, 0, 1]) == true)
    driver.pass(.seconds(1))
    #expect(driver.done() == ["goAway ENHANCE_YOUR_CALM: a frame was not completed in time"])
    var whole = CoreDriver()
    #expect(whole.receive([0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 9, 4, 0, 0, 0, 1]) == true)
    whole.pass(.seconds(61))
    #expect(whole.done() == [])
  }

  @Test("the server pings a silent client, and closes without an answer (rule 25)")
  func pings() {
    var driver = CoreDriver()
    driver.pass(.seconds(7_200))
    #expect(driver.done() == ["ping"])
    driver.pass(.seconds(20))
    #expect(driver.done() == ["goAway NO_ERROR: a ping was not answered in time"])
  }

  @Test(
    "a forbidden frame, or one that arrives too often, ends the connection (rules 24, 25, 29)",
    arguments: [
      ([0, 0, 1, 0, 8, 0, 0, 0, 1, 1], "PROTOCOL_ERROR: the padding is longer than the DATA frame"),
      (
        [0, 0, 5, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1],
        "PROTOCOL_ERROR: PRIORITY on stream 0, or dependent on its own stream"
      ),
      (
        [0, 0, 5, 2, 0, 0, 0, 0, 3, 0, 0, 0, 3, 1],
        "PROTOCOL_ERROR: PRIORITY on stream 0, or dependent on its own stream"
      ),
      ([0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0], "PROTOCOL_ERROR: WINDOW_UPDATE with an increment of 0"),
      (
        [0, 0, 0, 1, 5, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0],
        "STREAM_CLOSED: a frame on a stream that the client has closed"
      ),
      (
        [0, 0, 0, 1, 5, 0, 0, 0, 5, 0, 0, 0, 1, 5, 0, 0, 0, 3],
        "PROTOCOL_ERROR: a stream was opened after one with a higher id"
      ),
      (
        Array(
          repeatElement([0, 0, 8, 6, 0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 8), count: 4).joined()),
        "ENHANCE_YOUR_CALM: too_many_pings"
      ),
      (
        Array(repeatElement([0, 0, 0, 10, 0, 0, 0, 0, 0], count: 1_001).joined()),
        "ENHANCE_YOUR_CALM: too many frames without a request"
      ),
      (
        Array(repeatElement([0, 0, 0, 2, 0, 0, 0, 0, 1], count: 1_001).joined()),
        "ENHANCE_YOUR_CALM: too many frames without a request"
      ),
      (
        Array(repeatElement([0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1], count: 1_001).joined()),
        "ENHANCE_YOUR_CALM: too many WINDOW_UPDATE frames"
      ),
      (
        Array(repeatElement([0, 0, 4, 3, 0, 0, 0, 0, 9, 0, 0, 0, 8], count: 1_001).joined()),
        "ENHANCE_YOUR_CALM: too many streams were reset before their responses ended"
      ),
      (
        [0, 0, 0, 1, 4, 0, 0, 0, 1]
          + Array(repeatElement([0, 0, 0, 0, 0, 0, 0, 0, 1], count: 1_001).joined()),
        "ENHANCE_YOUR_CALM: too many frames without a request"
      ),
    ] as [([UInt8], String)])
  func frames(bytes: [UInt8], fault: String) {
    var driver = CoreDriver()
    #expect(driver.receive(bytes) == false)
    #expect(driver.done() == ["goAway \(fault)"])
    // No call starts any more.
    driver.call(101)
    #expect(!driver.done().contains { $0.hasPrefix("start") })
  }

  @Test(
    "a DATA frame with data permits WINDOW_UPDATEs for its stream and the connection (rule 29)",
    arguments: [2, 3])
  func windowUpdatesBesideData(count: Int) {
    var driver = CoreDriver()
    #expect(driver.receive([0, 0, 0, 1, 4, 0, 0, 0, 1]) == true)
    let data: [UInt8] = [0, 0, 1, 0, 0, 0, 0, 0, 1, 0]
    let update: [UInt8] = [0, 0, 4, 8, 0, 0, 0, 0, 1, 0, 0, 0, 1]
    let accepted = (0..<2_000).prefix { _ in
      driver.receive(data + repeatElement(update, count: count).joined())
    }
    // The third takes from the 1,000 that are permitted at once, to which the first frame adds nothing.
    #expect(accepted.count == (count == 2 ? 2_000 : 998))
  }

  @Test("streams that the client never ends, and gaps between their ids, take bounded memory")
  func openStreams() {
    var driver = CoreDriver()
    var most = 0
    for number in 0..<20_000 as Range<UInt32> {
      let id = withUnsafeBytes(of: (1 + 4 * number).bigEndian) { Array($0) }
      #expect(driver.receive([0, 0, 0, 1, 4] + id) == true)
      most = max(most, driver.core.gate.knownStreams)
    }
    #expect(most > 1_000 && most <= 2_033)
  }

  @Test("streams that the client makes the server reset are counted (rule 28)")
  func provokedResets() {
    var driver = CoreDriver { $0.floodLimits.provokedResets = (burst: 3, rate: 1) }
    for index in 0..<5 as Range<Int32> { driver.open(index * 2 + 1, .unary, [("connection", "close")]) }
    #expect(driver.done().contains("goAway ENHANCE_YOUR_CALM: too many streams had to be reset") == true)
  }

  @Test("the first RST_STREAM after the end of a response is not counted")
  func resetAfterEnd() {
    var driver = CoreDriver { $0.floodLimits.resets = (burst: 0, rate: 0) }
    #expect(driver.receive([0, 0, 0, 1, 4, 0, 0, 0, 1]) == true)
    driver.open(1, .upload)
    driver.run()
    driver.finish(1)
    driver.run()
    for _ in 0..<2 { #expect(driver.receive([0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8]) == true) }
    #expect(driver.receive([0, 0, 4, 3, 0, 0, 0, 0, 9, 0, 0, 0, 8]) == false)
  }

  @Test("a call past its deadline ends with a status, or with RST_STREAM after messages (rule 19)")
  func deadline() throws {
    var driver = CoreDriver()
    driver.call(1, .unary, [("grpc-timeout", "5S")])
    driver.call(3, .list, [("grpc-timeout", "5S")])
    driver.open(5, .unary, [("grpc-timeout", "5S")])
    driver.run()
    driver.clientWindow = 0
    _ = try driver.write(3, "x")
    driver.run()
    driver.log = []
    #expect(driver.core.wakeup == driver.now + .seconds(5))
    driver.pass(.seconds(5))
    let done = driver.done()
    #expect(done.contains("cancel 1") && done.contains("trailersOnly 200 deadlineExceeded 1"))
    #expect(done.contains("cancel 3") && done.contains("reset 3 CANCEL"))
    #expect(done.contains("trailersOnly 200 deadlineExceeded 5"))
    driver.finish(1)
    driver.finish(3)
    driver.run()
    #expect(driver.isMemoryFree)
  }

  @Test("an overdue request fails its call, and a longer message has more time (rule 30)")
  func overdue() {
    var driver = CoreDriver()
    driver.open(1)
    driver.open(3)
    driver.data(3, [0] + [0, 0, 0x50, 0])
    driver.run()
    driver.log = []
    driver.pass(.seconds(61))
    #expect(driver.done() == ["startHandler 1"])
    _ = driver.read(1)
    #expect(driver.read(1) == "failure deadlineExceeded: the request was not completed in time")
    driver.pass(.seconds(5))
    #expect(driver.done() == ["startHandler 3"])
  }

  @Test("an incomplete message has a time-out only while the handler waits for it")
  func slowMessage() {
    var driver = CoreDriver()
    driver.open(1, .talk)
    driver.run()
    _ = driver.read(1)
    #expect(driver.read(1) == "wait")
    driver.pass(.seconds(1_000))
    driver.log = []
    #expect(driver.done() == [])
    driver.data(1, [0, 0])
    driver.run()
    driver.pass(.seconds(61))
    #expect(driver.done().contains { $0.hasPrefix("resumeReader 1 failure deadlineExceeded") })
  }

  @Test("a connection without streams releases the memory of their slots")
  func idle() {
    var driver = CoreDriver()
    driver.call(1)
    driver.run()
    driver.finish(1)
    driver.run()
    #expect(driver.core.wakeup == driver.now + .seconds(10))
    driver.pass(.seconds(10))
    #expect(driver.core.wakeup > driver.now + .seconds(10))
    driver.call(3)
    driver.log = []
    #expect(driver.done() == ["startHandler 3"])
  }

  @Test("the error with which nghttp2 ends a connection is kept for the log, unless the core has ended it")
  func sessionFault() {
    var driver = CoreDriver()
    driver.core.sessionFailed(.noError, "")
    #expect(driver.core.end.sessionFault == nil)
    driver.core.sessionFailed(.protocolError, "")
    driver.core.sessionFailed(.cancel, "later")
    #expect(driver.core.end.sessionFault == ConnectionFault(.protocolError, "PROTOCOL_ERROR"))
    var other = CoreDriver()
    other.core.sessionFailed(.protocolError, "because")
    #expect(other.core.end.sessionFault?.reason == "PROTOCOL_ERROR: because")
    var failed = CoreDriver()
    failed.core.fail(.cancel, "first")
    failed.core.fail(.cancel, "second")
    failed.core.sessionFailed(.protocolError, "")
    #expect(failed.core.end.sessionFault == nil && failed.core.end.fault?.reason == "first")
  }
}
