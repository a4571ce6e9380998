import Dispatch
import Synchronization
import TestSupport
import Testing
import UserDomain

@testable import PasswordHashing

@Suite(.timeLimit(.minutes(10))) struct HashingPoolTests {
  /// Work that reports its beginning and ends when a test releases it.
  private final class Gate: Sendable {
    private let began = DispatchSemaphore(value: 0)
    private let mayEnd = DispatchSemaphore(value: 0)

    func pass() {
      began.signal()
      mayEnd.wait()
    }

    func open(_ count: Int = 1) {
      for _ in 0..<count { mayEnd.signal() }
    }

    /// Waits off the cooperative pool until work has begun.
    func waitUntilBegun() async {
      await withCheckedContinuation { continuation in
        DispatchQueue.global().async {
          self.began.wait()
          continuation.resume()
        }
      }
    }
  }

  /// Counts how many callers are inside at the same time.
  private final class Gauge: Sendable {
    private let inside = Mutex(0)
    private let most = Mutex(0)

    func enter() {
      let count = inside.withLock { count in
        count += 1
        return count
      }
      most.withLock { $0 = max($0, count) }
    }

    func leave() {
      inside.withLock { $0 -= 1 }
    }

    var highest: Int { most.withLock { $0 } }
  }

  /// Requests hashes, and records the order in which they were made.
  private final class Crowd: Sendable {
    private let pool: HashingPool
    private let made = Mutex<[String]>([])
    private let refusals = Mutex(0)

    init(_ pool: HashingPool) { self.pool = pool }

    var order: [String] { made.withLock { $0 } }
    var refused: Int { refusals.withLock { $0 } }

    func hash(_ name: String, _ requester: HashRequester) async {
      do {
        try await pool.run(memory: 1, for: requester) { self.made.withLock { $0.append(name) } }
      } catch {
        if case .overloaded = error { refusals.withLock { $0 += 1 } } else { Issue.record("\(error)") }
      }
    }
  }

  @Test("at most `threads` hashes run at a time, and all complete")
  func bounded() async throws {
    let pool = HashingPool(limits: HashingLimits(threads: 2, queueLength: 100))
    let gauge = Gauge()
    let sum = try await withThrowingTaskGroup(of: Int.self) { group in
      for number in 0..<50 {
        group.addTask {
          try await pool.run(memory: 1, for: .service) {
            gauge.enter()
            defer { gauge.leave() }
            return number
          }
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(sum == 49 * 50 / 2)
    #expect(gauge.highest <= 2)
  }

  @Test("a full queue refuses at once as overloaded")
  func overloaded() async throws {
    let pool = HashingPool(limits: HashingLimits(threads: 1, queueLength: 1))
    let gate = Gate()
    async let first: Void = pool.run(memory: 1, for: .service) { gate.pass() }
    await gate.waitUntilBegun()
    async let second: Void = pool.run(memory: 1, for: .service) {}
    try await eventually("one hash waits") { pool.waitingCount == 1 }
    let error = await #expect(throws: UserError.self) { try await pool.run(memory: 1, for: .service) {} }
    guard case .overloaded(let retryAfter) = error else {
      Issue.record("not overloaded: \(String(describing: error))")
      return
    }
    #expect(retryAfter > .zero)
    gate.open()
    _ = try await (first, second)
  }

  @Test("nine networks that fill the queue, and a bulk load, do not starve another network")
  func fairness() async throws {
    let pool = HashingPool(limits: HashingLimits(threads: 1, queueLength: 36))
    let gate = Gate()
    let crowd = Crowd(pool)
    async let first: Void = pool.run(memory: 1, for: .service) { gate.pass() }
    await gate.waitUntilBegun()
    let others = Task {
      await withTaskGroup(of: Void.self) { group in
        for number in 0..<12 {
          group.addTask { await crowd.hash("bulk", HashRequester(.principal("import"), isBackground: true)) }
          for network in 0..<9 {
            group.addTask { await crowd.hash("\(network)", .client("ipv4:192.0.2.\(network):\(number)")) }
          }
        }
      }
    }
    try await eventually("the queue is full") { crowd.refused == 120 - 36 }
    let honest = Task { await crowd.hash("honest", .client("ipv4:203.0.113.5:1")) }
    try await eventually("another one has made room") { crowd.refused == 121 - 36 }
    gate.open()
    try await first
    await honest.value
    await others.value
    #expect(crowd.order.count == 36)
    let place = try #require(crowd.order.firstIndex(of: "honest"))
    #expect(place <= 9)
  }

  @Test("a cancelled waiter leaves the queue at once")
  func cancellation() async throws {
    let pool = HashingPool(limits: HashingLimits(threads: 1))
    let gate = Gate()
    async let first: Void = pool.run(memory: 1, for: .service) { gate.pass() }
    await gate.waitUntilBegun()
    let waiter = Task { try await pool.run(memory: 1, for: .service) {} }
    try await eventually("one hash waits") { pool.waitingCount == 1 }
    waiter.cancel()
    await #expect(throws: UserError.cancelled) { try await waiter.value }
    #expect(pool.waitingCount == 0)
    gate.open()
    try await first
  }

  @Test("a request of a cancelled task is refused")
  func cancelledBefore() async {
    let pool = HashingPool(limits: HashingLimits(threads: 1))
    let task = Task {
      await untilCancelled()
      try await pool.run(memory: 1, for: .service) {}
    }
    task.cancel()
    await #expect(throws: UserError.cancelled) { try await task.value }
  }
}

extension HashRequester {
  /// Returns the requester of a client at this address, which waits.
  fileprivate static func client(_ peer: String) -> HashRequester {
    HashRequester(.network(PeerNetwork(peer: peer)))
  }
}
