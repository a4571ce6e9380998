import Synchronization
import TestSupport
import Testing

@testable import UserAPI

@Suite(.timeLimit(.minutes(10))) struct HealthMonitorTests {
  private final class Database: Sendable {
    let answers = Mutex(true)
  }

  @Test("services serve while the database responds, and watchers are told only changes")
  func changes() async {
    let database = Database()
    let monitor = await HealthMonitor(services: ["s"]) { database.answers.withLock { $0 } }
    var watch = monitor.watch().makeAsyncIterator()
    #expect(await watch.next() == true)
    database.answers.withLock { $0 = false }
    #expect(await !monitor.refresh())
    #expect(await !monitor.refresh())
    #expect(await watch.next() == false)
    database.answers.withLock { $0 = true }
    #expect(await monitor.refresh())
    #expect(await watch.next() == true)
  }

  @Test("during a drain nothing serves, and watches end after saying so")
  func drain() async {
    let monitor = await HealthMonitor(services: ["s"]) { true }
    var watch = monitor.watch().makeAsyncIterator()
    #expect(await watch.next() == true)
    monitor.drain()
    #expect(await !monitor.refresh())
    #expect(await watch.next() == false)
    #expect(await watch.next() == nil)
    var late = monitor.watch().makeAsyncIterator()
    #expect(await late.next() == false)
    #expect(await late.next() == nil)
    #expect(monitor.watcherCount == 0)
  }

  @Test(
    "a watch without a reader is told the state at once, then changes and the drain, until it is forgotten")
  func callbacks() async {
    let database = Database()
    let told = Mutex<[HealthMonitor.WatchedState]>([])
    let monitor = await HealthMonitor(services: ["s"]) { database.answers.withLock { $0 } }
    let forgotten = monitor.watch { _ in }
    #expect(monitor.watch { state in told.withLock { $0.append(state) } } != nil)
    #expect(monitor.watcherCount == 2)
    #expect(forgotten.map { monitor.forget($0) } == true)
    #expect(forgotten.map { monitor.forget($0) } == false)
    database.answers.withLock { $0 = false }
    await monitor.refresh()
    await monitor.refresh()
    monitor.drain()
    #expect(told.withLock { $0 } == [.serves(true), .serves(false), .serves(false), .drained])
    #expect(monitor.watcherCount == 0)
    #expect(monitor.watch { state in told.withLock { $0.append(state) } } == nil)
    #expect(told.withLock { $0.suffix(2) } == [.serves(false), .drained])
  }

  /// Probes whose outcomes a test decides, in any order.
  private final class Probes: Sendable {
    private let waiting = Mutex<[CheckedContinuation<Bool, Never>]>([])

    var count: Int { waiting.withLock { $0.count } }

    func probe() async -> Bool {
      await withCheckedContinuation { continuation in waiting.withLock { $0.append(continuation) } }
    }

    func end(_ index: Int, _ answers: Bool) {
      waiting.withLock { $0[index] }.resume(returning: answers)
    }
  }

  /// A monitor of a serving database, whose first probe has ended.
  private func serving(_ probes: Probes) async throws -> HealthMonitor {
    let monitor = Task { await HealthMonitor(services: ["s"], probe: probes.probe) }
    try await eventually("the first probe has begun") { probes.count == 1 }
    probes.end(0, true)
    return await monitor.value
  }

  @Test("of probes that wait, the latest begun decides, whichever ends last")
  func overlapping() async throws {
    let probes = Probes()
    let monitor = try await serving(probes)
    let earlier = Task { await monitor.refresh() }
    try await eventually("the earlier probe has begun") { probes.count == 2 }
    let later = Task { await monitor.refresh() }
    try await eventually("the later probe has begun") { probes.count == 3 }
    probes.end(2, false)
    #expect(await !later.value)
    probes.end(1, true)
    #expect(await !earlier.value)
    var watch = monitor.watch().makeAsyncIterator()
    #expect(await watch.next() == false)
  }

  @Test("a probe whose call was cancelled says nothing of the database")
  func cancelledProbe() async throws {
    let probes = Probes()
    let monitor = try await serving(probes)
    let call = Task { await monitor.refresh() }
    try await eventually("the probe has begun") { probes.count == 2 }
    call.cancel()
    probes.end(1, false)
    #expect(await call.value)
    var watch = monitor.watch().makeAsyncIterator()
    #expect(await watch.next() == true)
  }

  @Test("a watch is forgotten when its reader ends")
  func forgotten() async throws {
    let monitor = await HealthMonitor(services: ["s"]) { true }
    let task = Task {
      for await _ in monitor.watch() {}
    }
    try await eventually("the watch has begun") { monitor.watcherCount == 1 }
    task.cancel()
    await task.value
    try await eventually("the watch is forgotten") { monitor.watcherCount == 0 }
  }
}
