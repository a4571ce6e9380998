import Logging
import Primitives
import ServiceLifecycle
import Synchronization
import UserAPI
import UserDomain
import UserStore

/// This process's claim to be the only service of its database.
final class DatabaseClaim: Sendable {
  /// Nil for a database in memory, which no other process can open.
  private let lock: ServiceLock?

  /// Claims the database, or begins to wait for it if the configuration says so.
  ///
  /// - Throws: `StoreError.served` if another service has it and is not to be taken over from; `StoreError` if the lock
  ///   cannot be used.
  init(_ configuration: ServiceConfiguration, logger: Logger) throws(StoreError) {
    guard case .file(let path) = DatabaseLocation(path: configuration.database) else {
      lock = nil
      return
    }
    let lock = try ServiceLock(database: path, mayCreate: configuration.migrates)
    self.lock = lock
    if try lock.acquire() { return }
    let holder = lock.holder
    guard configuration.takesOver else { throw .served(path: path, process: holder) }
    isWaiting.store(true, ordering: .relaxed)
    logger.notice(
      "another service serves this database: takes over from it when it stops",
      metadata: ["process": "\(holder.map { "\($0)" } ?? "unknown")"])
  }

  /// Whether the other service has not stopped yet.
  private let isWaiting = Atomic(false)

  /// Claims the database if this has to wait for it. Returns whether it has just become this process's.
  func retry() -> Bool {
    guard isWaiting.load(ordering: .relaxed), let lock else { return false }
    do throws(StoreError) {
      guard try lock.acquire() else { return false }
    } catch {
      // The lock could be used at the start, and the next round tries again.
      return false
    }
    isWaiting.store(false, ordering: .relaxed)
    return true
  }

  /// Gives the database up, once it is closed.
  func release() {
    lock?.release()
  }
}

/// Watches the database, so that the health service, the log and the list of revoked tokens follow what happens to it
/// from outside.
struct DatabaseWatch: Service, CustomStringConvertible {
  /// A token that another process has revoked is refused within a second.
  private static let inspectionInterval: Duration = .milliseconds(500)
  private static let recoveryInterval: Duration = .seconds(1)

  let repository: SQLiteUserRepository
  let monitor: HealthMonitor
  let claim: DatabaseClaim
  let logger: Logger

  var description: String { "database watch" }

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await withTaskGroup(of: Void.self) { group in
        group.addTask { await inspect() }
        // On its own, because another process's lock may hold it up.
        group.addTask {
          await Polling(every: Self.recoveryInterval).run { await repository.recover() }
        }
      }
    }
  }

  private func inspect() async {
    var problem = CurrentProblem<StorageFault.Kind>()
    await Polling(every: Self.inspectionInterval).run {
      await repository.inspect()
      let fault = repository.writeFault
      if problem.changes(to: fault?.kind) { report(fault) }
      monitor.refresh()
      if claim.retry() { logger.notice("the other service has stopped: this one has the database alone") }
    }
  }

  private func report(_ fault: StorageFault?) {
    guard let fault else { return logger.notice("the database can be written again: serving") }
    logger.error(
      "the database cannot be written: not serving",
      metadata: ["reason": "\(repository.failure(fault))"])
  }
}
