import Dispatch
import Synchronization
import Testing
import UserDomain

@testable import PasswordHashing

@Suite(.timeLimit(.minutes(10))) struct HashingPoolTests {
  /// Work that begins when it says so and ends when it is told to.
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

  /// Counts how many are inside at the same time.
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

  private func waitUntil(_ condition: () -> Bool) async {
    while !condition() { await Task.yield() }
  }

  @Test("never more than `threads` at a time, and all are answered")
  func bounded() async throws {
    let pool = HashingPool(limits: HashingLimits(threads: 2, queueLength: 100))
    let gauge = Gauge()
    let sum = try await withThrowingTaskGroup(of: Int.self) { group in
      for number in 0..<50 {
        group.addTask {
          try await pool.run(memory: 1, deadline: nil) {
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

  @Test("a full queue answers at once that it is overloaded")
  func overloaded() async throws {
    let pool = HashingPool(limits: HashingLimits(threads: 1, queueLength: 1))
    let gate = Gate()
    async let first: Void = pool.run(memory: 1, deadline: nil) { gate.pass() }
    await gate.waitUntilBegun()
    async let second: Void = pool.run(memory: 1, deadline: nil) {}
    await waitUntil { pool.waitingCount == 1 }
    let error = await #expect(throws: UserError.self) { try await pool.run(memory: 1, deadline: nil) {} }
    guard case .overloaded(let retryAfter) = error else {
      Issue.record("not overloaded: \(String(describing: error))")
      return
    }
    #expect(retryAfter > .zero)
    gate.open()
    _ = try await (first, second)
  }

  @Test("a waiter whose deadline passes is dropped, not computed")
  func deadline() async throws {
    let clock = Mutex(ContinuousClock.now)
    let pool = HashingPool(limits: HashingLimits(threads: 1), now: { clock.withLock { $0 } })
    let gate = Gate()
    async let first: Void = pool.run(memory: 1, deadline: nil) { gate.pass() }
    await gate.waitUntilBegun()
    let deadline = clock.withLock { $0 + .seconds(1) }
    let wasComputed = Mutex(false)
    async let second: Void = pool.run(memory: 1, deadline: deadline) { wasComputed.withLock { $0 = true } }
    await waitUntil { pool.waitingCount == 1 }
    clock.withLock { $0 += .seconds(2) }
    gate.open()
    try await first
    do {
      try await second
      Issue.record("the waiter was not dropped")
    } catch {
      #expect(error as? UserError == .deadlineExceeded)
    }
    #expect(!wasComputed.withLock { $0 })
  }

  @Test("a cancelled waiter leaves the queue at once")
  func cancellation() async throws {
    let pool = HashingPool(limits: HashingLimits(threads: 1))
    let gate = Gate()
    async let first: Void = pool.run(memory: 1, deadline: nil) { gate.pass() }
    await gate.waitUntilBegun()
    let waiter = Task { try await pool.run(memory: 1, deadline: nil) {} }
    await waitUntil { pool.waitingCount == 1 }
    waiter.cancel()
    await #expect(throws: UserError.cancelled) { try await waiter.value }
    #expect(pool.waitingCount == 0)
    gate.open()
    try await first
  }

  @Test("a task that was cancelled before it asks is refused")
  func cancelledBefore() async {
    let pool = HashingPool(limits: HashingLimits(threads: 1))
    let task = Task {
      while !Task.isCancelled { await Task.yield() }
      try await pool.run(memory: 1, deadline: nil) {}
    }
    task.cancel()
    await #expect(throws: UserError.cancelled) { try await task.value }
  }
}
