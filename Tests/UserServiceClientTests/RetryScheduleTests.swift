import GRPCCore
import Testing

@testable import UserServiceClient

@Suite struct RetryScheduleTests {
  private func delays(
    _ policy: UserServiceClient.RetryPolicy, _ code: RPCError.Code = .unavailable,
    _ pushback: RetrySchedule.Pushback = .none, remaining: Duration? = nil, random: Double = 0.5
  ) -> [Duration] {
    var schedule = RetrySchedule(policy)
    var delays: [Duration] = []
    while let delay = schedule.failed(code, pushback, remaining: remaining, random: random) {
      delays.append(delay)
    }
    return delays
  }

  @Test("pauses grow up to a maximum, and end with the attempts")
  func backoff() {
    var policy = UserServiceClient.RetryPolicy()
    #expect(delays(policy) == [.milliseconds(100), .milliseconds(200)])
    policy.maximumAttempts = 7
    policy.maximumBackoff = .milliseconds(500)
    #expect(delays(policy) == [100, 200, 400, 500, 500, 500].map { Duration.milliseconds($0) })
    #expect(delays(.never).isEmpty)
  }

  @Test("each pause varies by up to a fifth")
  func jitter() {
    for (random, milliseconds) in [(0.0, 80.0), (1.0, 120.0)] {
      let delay = delays(UserServiceClient.RetryPolicy(), random: random)[0]
      #expect(abs(delay / .milliseconds(1) - milliseconds) < 1e-6)
    }
  }

  @Test("only transient errors are retried")
  func codes() {
    let repeated = (1...16).compactMap { Status.Code(rawValue: $0) }.compactMap { RPCError.Code($0) }
      .filter { !delays(UserServiceClient.RetryPolicy(), $0).isEmpty }
    #expect(repeated == [.deadlineExceeded, .unavailable])
  }

  @Test("the service may forbid a retry, or set its time")
  func pushback() {
    #expect(delays(UserServiceClient.RetryPolicy(), .unavailable, .stop).isEmpty)
    #expect(
      delays(UserServiceClient.RetryPolicy(), .unavailable, .after(.seconds(7))) == [
        .seconds(7), .seconds(7),
      ])
  }

  @Test("no attempt starts too late")
  func deadline() {
    #expect(delays(UserServiceClient.RetryPolicy(), remaining: .milliseconds(150)) == [.milliseconds(100)])
    #expect(delays(UserServiceClient.RetryPolicy(), remaining: .milliseconds(-1)).isEmpty)
    #expect(
      delays(
        UserServiceClient.RetryPolicy(), .unavailable, .after(.seconds(1)), remaining: .milliseconds(900)
      ).isEmpty)
  }

  @Test("progress of a call starts a new schedule")
  func progress() {
    var schedule = RetrySchedule(UserServiceClient.RetryPolicy())
    for _ in 0..<10 {
      #expect(schedule.failed(.unavailable, .none, remaining: nil, random: 0.5) == .milliseconds(100))
      schedule.progressed()
    }
  }

  @Test(
    "the pause comes from the trailers, or else from the details",
    arguments: [("1500", RetrySchedule.Pushback.after(.milliseconds(1_500))), ("-1", .stop), ("soon", .stop)])
  func trailers(text: String, pushback: RetrySchedule.Pushback) {
    var error = RPCError(code: .unavailable, message: "")
    #expect(error.retryPushback == .none)
    error.metadata.addString(text, forKey: "grpc-retry-pushback-ms")
    #expect(error.retryPushback == pushback)
  }
}
