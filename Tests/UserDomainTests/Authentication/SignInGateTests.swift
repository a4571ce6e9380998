import TestSupport
import Testing

@testable import UserDomain

@Suite(.timeLimit(.minutes(10))) struct SignInGateTests {
  private let gate = SignInGate()
  private let key = SignInGate.Key(
    account: .user(UserID(high: 1, low: 2)), source: .network(PeerNetwork(peer: "ipv4:192.0.2.1:1")))
  private let sameAccount = SignInGate.Key(
    account: .user(UserID(high: 1, low: 2)), source: .network(PeerNetwork(peer: "unix")))
  private let device = SignInGate.Key(account: .user(UserID(high: 1, low: 2)), source: .device(.random()))

  @Test("a place counts for its source, and for its account unless a device holds it")
  func counts() {
    #expect(gate.reserve(key) == (0, 0))
    #expect(gate.reserve(key) == (1, 1))
    #expect(gate.reserve(sameAccount) == (0, 2))
    #expect(gate.reserve(device) == (0, 3))
    #expect(gate.reserve(device) == (1, 3))
    for key in [key, key, sameAccount, device, device] { gate.release(key) }
    #expect(gate.count == 0)
    #expect(gate.reserve(key) == (0, 0))
  }

  @Test("an attempt waits until another of its source ends, and not at all if no other is running")
  func waits() async throws {
    _ = gate.reserve(key)
    try await gate.releaseAndWait(key)
    #expect(gate.count == 0)

    _ = gate.reserve(key)
    _ = gate.reserve(key)
    let waiting = Task { try await gate.releaseAndWait(key) }
    try await eventually("the attempt waits") {
      if gate.reserve(key).running == 1 { return true }
      gate.release(key)
      return false
    }
    gate.release(key)
    // The last release, or one of those above, has woken it.
    gate.release(key)
    try await waiting.value
    #expect(gate.count == 0)
  }

  @Test("at most 64 may wait, and cancelled ones leave room")
  func queue() async throws {
    _ = gate.reserve(key)
    let tasks = (0..<(SignInGate.longestQueue + 10)).map { _ in
      Task { () -> UserError? in
        _ = gate.reserve(key)
        do throws(UserError) {
          try await gate.releaseAndWait(key)
          return nil
        } catch {
          return error
        }
      }
    }
    // Ten are refused; the scheduler decides which.
    let outcomes = AsyncStream.makeStream(of: UserError?.self)
    for task in tasks { Task { outcomes.continuation.yield(await task.value) } }
    var refused = 0
    for await outcome in outcomes.stream {
      #expect(outcome == .tooManyAttempts(retryAfter: .seconds(1)))
      refused += 1
      if refused == 10 { break }
    }
    for task in tasks { task.cancel() }
    for task in tasks {
      let outcome = await task.value
      #expect(outcome == .cancelled || outcome == .tooManyAttempts(retryAfter: .seconds(1)))
    }
    gate.release(key)
    #expect(gate.count == 0)
  }
}
