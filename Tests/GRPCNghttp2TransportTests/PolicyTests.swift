import NIOCore
import Testing

@testable import GRPCNghttp2Transport

private typealias Configuration = Nghttp2ServerTransport.Configuration

/// `#expect` for the result of a mutating method, which the macro cannot call.
private func expect<Value: Equatable>(
  _ value: Value, _ expected: Value, _ location: SourceLocation = #_sourceLocation
) {
  #expect(value == expected, sourceLocation: location)
}

extension NIODeadline {
  fileprivate static func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(1) + .seconds(seconds) }
}

@Suite struct PingPolicyTests {
  private func policy(permitWithoutStream: Bool = true) -> PingPolicy {
    var enforcement = Configuration.EnforcementPolicy()
    enforcement.permitWithoutStream = permitWithoutStream
    return PingPolicy(Configuration.Keepalive(), enforcement, now: .at(0))
  }

  @Test("rule 25: the server pings after two silent hours, and closes 20 seconds later without an answer")
  func keepalive() {
    var policy = policy()
    #expect(policy.wakeup == .at(7_200))
    expect(policy.timePassed(now: .at(7_199)), .nothing)
    expect(policy.timePassed(now: .at(7_200)), .sendPing)
    #expect(policy.wakeup == .at(7_220))
    expect(policy.timePassed(now: .at(7_219)), .nothing)
    expect(policy.timePassed(now: .at(7_220)), .close)
  }

  @Test("rule 25: any received bytes count as an answer")
  func answered() {
    var policy = policy()
    expect(policy.timePassed(now: .at(7_200)), .sendPing)
    policy.bytesReceived(now: .at(7_205))
    expect(policy.timePassed(now: .at(7_220)), .nothing)
    #expect(policy.wakeup == .at(14_405))
  }

  @Test("rule 25: a client may ping every 10 seconds, with or without calls", arguments: [true, false])
  func honest(hasStreams: Bool) {
    var policy = policy()
    for number in 0..<100 {
      expect(policy.pingReceived(hasStreams: hasStreams, now: .at(Int64(number) * 10)), false)
    }
  }

  @Test("rule 25: two early pings are tolerated, the third is not")
  func tooMany() {
    var policy = policy()
    expect((0..<3).allSatisfy { _ in !policy.pingReceived(hasStreams: true, now: .at(0)) }, true)
    expect(policy.pingReceived(hasStreams: true, now: .at(0)), true)
  }

  @Test("rule 25: output of the server resets the count of early pings")
  func forgiven() {
    var policy = policy()
    for _ in 0..<100 {
      expect(policy.pingReceived(hasStreams: true, now: .at(0)), false)
      expect(policy.pingReceived(hasStreams: true, now: .at(0)), false)
      policy.responseSent()
    }
  }

  @Test("without calls, a client may be limited to a ping every two hours")
  func withoutStreams() {
    var policy = policy(permitWithoutStream: false)
    expect(policy.pingReceived(hasStreams: false, now: .at(0)), false)
    for number in 1...2 {
      expect(policy.pingReceived(hasStreams: false, now: .at(Int64(number) * 60)), false)
    }
    expect(policy.pingReceived(hasStreams: false, now: .at(180)), true)
  }
}

@Suite struct ConnectionLifetimeTests {
  private func lifetime(
    idle: Duration? = nil, age: Duration? = nil, grace: Duration? = nil, jitter: Double = 0
  ) -> ConnectionLifetime {
    var keepalive = Configuration.Keepalive()
    keepalive.maxConnectionIdle = idle
    keepalive.maxConnectionAge = age
    keepalive.maxConnectionAgeGrace = grace
    return ConnectionLifetime(keepalive, jitter: jitter, now: .at(0))
  }

  @Test("rule 21: notice, a round trip, the last id, and the close once no stream is open")
  func shutDown() {
    var lifetime = lifetime()
    lifetime.streamOpened()
    expect(lifetime.shutDown(now: .at(1)), .sendNotice)
    expect(lifetime.shutDown(now: .at(1)), .nothing)
    expect(lifetime.noticeAcknowledged(), .sendFinal)
    expect(lifetime.finalSent(), .nothing)
    expect(lifetime.streamClosed(now: .at(2)), .close)
  }

  @Test("rule 21: an idle client, and one that does not answer, do not delay it")
  func idleClient() {
    var lifetime = lifetime()
    expect(lifetime.shutDown(now: .at(1)), .sendNotice)
    #expect(lifetime.wakeup == .at(2))
    expect(lifetime.timePassed(now: .at(2)), .sendFinal)
    expect(lifetime.finalSent(), .close)
  }

  @Test("a stream that ends between the two GOAWAY frames does not end the connection")
  func betweenTheTwo() {
    var lifetime = lifetime()
    lifetime.streamOpened()
    expect(lifetime.shutDown(now: .at(1)), .sendNotice)
    expect(lifetime.streamClosed(now: .at(1)), .nothing)
    expect(lifetime.noticeAcknowledged(), .sendFinal)
    expect(lifetime.finalSent(), .close)
  }

  @Test("rule 26: idle time, age and grace time are unlimited by default")
  func none() {
    #expect(lifetime().wakeup == .distantFuture)
  }

  @Test("rule 26: a connection is idle only without streams, timed from the last one")
  func idle() {
    var lifetime = lifetime(idle: .seconds(10))
    #expect(lifetime.wakeup == .at(10))
    lifetime.streamOpened()
    #expect(lifetime.wakeup == .distantFuture)
    expect(lifetime.timePassed(now: .at(20)), .nothing)
    expect(lifetime.streamClosed(now: .at(20)), .nothing)
    #expect(lifetime.wakeup == .at(30))
    expect(lifetime.timePassed(now: .at(30)), .sendNotice)
  }

  @Test("rule 26: the age has jitter, and after the grace time running calls are cut off")
  func age() {
    var lifetime = lifetime(age: .seconds(100), grace: .seconds(5), jitter: 0.1)
    lifetime.streamOpened()
    #expect(lifetime.wakeup == .at(110))
    expect(lifetime.timePassed(now: .at(109)), .nothing)
    expect(lifetime.timePassed(now: .at(110)), .sendNotice)
    expect(lifetime.noticeAcknowledged(), .sendFinal)
    expect(lifetime.finalSent(), .nothing)
    #expect(lifetime.wakeup == .at(115))
    expect(lifetime.timePassed(now: .at(115)), .abort)
  }
}

@Suite struct FloodGuardTests {
  private func guarded() -> FloodGuard { FloodGuard(Configuration.FloodLimits(), now: .at(0)) }

  @Test("rules 27 to 29: a burst is permitted, a flood is not, and the budget refills")
  func buckets() {
    var floods = guarded()
    for _ in 0..<1_000 { expect(floods.idleFrameReceived(now: .at(0)), nil) }
    expect(floods.idleFrameReceived(now: .at(0)), .idleFrames)
    for _ in 0..<100 { expect(floods.idleFrameReceived(now: .at(1)), nil) }
    expect(floods.idleFrameReceived(now: .at(1)), .idleFrames)
    for _ in 0..<1_000 { expect(floods.resetSent(now: .at(0)), nil) }
    expect(floods.resetSent(now: .at(0)), .provokedResets)
    for _ in 0..<1_000 { expect(floods.resetReceived(now: .at(0)), nil) }
    expect(floods.resetReceived(now: .at(0)), .resets)
    for _ in 0..<33 { expect(floods.resetReceived(now: .at(1)), nil) }
    expect(floods.resetReceived(now: .at(1)), .resets)
  }

  @Test("rule 29: sent frames, and received data, permit WINDOW_UPDATE frames, at most 1,000 at once")
  func windowUpdates() {
    var floods = guarded()
    for _ in 0..<1_000 { expect(floods.windowUpdateReceived(), nil) }
    expect(floods.windowUpdateReceived(), .windowUpdates)
    floods = guarded()
    for _ in 0..<100_000 {
      expect(floods.windowUpdateReceived(), nil)
      floods.responseSent()
    }
    for _ in 0..<100_000 {
      for _ in 0..<2 { expect(floods.windowUpdateReceived(), nil) }
      floods.dataReceived()
    }
    for _ in 0..<1_000 { expect(floods.windowUpdateReceived(), nil) }
    expect(floods.windowUpdateReceived(), .windowUpdates)
  }

  @Test("a bucket never holds more than its burst, however long it is unused")
  func burst() {
    var bucket = TokenBucket((burst: 2, rate: 5), now: .at(0))
    expect((0..<3).map { _ in bucket.take(now: .at(0)) }, [true, true, false])
    expect((0..<2).map { _ in bucket.take(now: .at(1_000_000)) }, [true, true])
    expect(bucket.take(now: .at(1_000_000)), false)
  }
}

@Suite struct LongRunnersTests {
  private let start = NIODeadline.at(1)

  @Test("a waiting handler resumes after a pause without new calls")
  func pause() {
    var runners = LongRunners()
    expect(runners.began(now: start), .look(at: start + LongRunners.pause))
    expect(runners.looked(now: start + LongRunners.pause), .resume)
    expect(runners.resumed(now: start), .nothing)
    expect(runners.looked(now: start + .seconds(1)), .nothing)
  }

  @Test("new calls delay a waiting handler, but only up to a limit")
  func patience() {
    var runners = LongRunners()
    var now = start
    var step = runners.began(now: now)
    while case .look(let time) = step {
      #expect(time > now)
      now = time
      runners.callBegan()
      step = runners.looked(now: now)
    }
    #expect(step == .resume)
    #expect(now >= start + LongRunners.patience && now < start + LongRunners.patience * 2)
  }

  @Test("several handlers resume one after another, each after its own pause")
  func several() {
    var runners = LongRunners()
    _ = runners.began(now: start)
    expect(runners.began(now: start), .nothing)
    runners.callBegan()
    expect(runners.looked(now: start + LongRunners.patience), .resume)
    let now = start + LongRunners.patience
    expect(runners.resumed(now: now), .look(at: now + LongRunners.pause))
    expect(runners.looked(now: now + LongRunners.pause), .resume)
    expect(runners.resumed(now: now), .nothing)
  }
}
