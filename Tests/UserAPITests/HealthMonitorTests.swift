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
    let monitor = HealthMonitor(services: ["s"]) { database.answers.withLock { $0 } }
    var watch = monitor.watch().makeAsyncIterator()
    #expect(await watch.next() == true)
    database.answers.withLock { $0 = false }
    #expect(!monitor.refresh())
    #expect(!monitor.refresh())
    #expect(await watch.next() == false)
    database.answers.withLock { $0 = true }
    #expect(monitor.refresh())
    #expect(await watch.next() == true)
  }

  @Test("during a drain nothing serves, and watches end after saying so")
  func drain() async {
    let monitor = HealthMonitor(services: ["s"]) { true }
    var watch = monitor.watch().makeAsyncIterator()
    #expect(await watch.next() == true)
    monitor.drain()
    #expect(!monitor.refresh())
    #expect(await watch.next() == false)
    #expect(await watch.next() == nil)
    var late = monitor.watch().makeAsyncIterator()
    #expect(await late.next() == false)
    #expect(await late.next() == nil)
    #expect(monitor.watcherCount == 0)
  }

  @Test(
    "a watch without a reader is told the state at once, then changes and the drain, until it is forgotten")
  func callbacks() {
    let database = Database()
    let told = Mutex<[HealthMonitor.WatchedState]>([])
    let monitor = HealthMonitor(services: ["s"]) { database.answers.withLock { $0 } }
    let forgotten = monitor.watch { _ in }
    #expect(monitor.watch { state in told.withLock { $0.append(state) } } != nil)
    #expect(monitor.watcherCount == 2)
    #expect(forgotten.map { monitor.forget($0) } == true)
    #expect(forgotten.map { monitor.forget($0) } == false)
    database.answers.withLock { $0 = false }
    monitor.refresh()
    monitor.refresh()
    monitor.drain()
    #expect(told.withLock { $0 } == [.serves(true), .serves(false), .serves(false), .drained])
    #expect(monitor.watcherCount == 0)
    #expect(monitor.watch { state in told.withLock { $0.append(state) } } == nil)
    #expect(told.withLock { $0.suffix(2) } == [.serves(false), .drained])
  }

  @Test("a watch is forgotten when its reader ends")
  func forgotten() async throws {
    let monitor = HealthMonitor(services: ["s"]) { true }
    let task = Task {
      for await _ in monitor.watch() {}
    }
    try await eventually("the watch has begun") { monitor.watcherCount == 1 }
    task.cancel()
    await task.value
    try await eventually("the watch is forgotten") { monitor.watcherCount == 0 }
  }
}
