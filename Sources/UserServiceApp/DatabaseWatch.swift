import Logging
import Primitives
import ServiceLifecycle
import Synchronization
import UserAPI
import UserDomain
import UserStore
import UserStoreSQLite

/// The claim of this process to be the only service of its database.
final class DatabaseClaim: Sendable {
  /// Nil for an in-memory database, which no other process can open, and for one that several services may serve.
  private let lock: ServiceLock?

  /// Claims the database, or starts to wait for it if the configuration permits that.
  ///
  /// - Throws: `StoreError.served` if another service holds the claim and waiting is not permitted; `StoreError` if
  ///   the lock cannot be used.
  init(_ configuration: ServiceConfiguration, logger: Logger) throws(StoreError) {
    guard case .sqlite(.file(let path)) = try DatabaseAddress(configuration.database) else {
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
      "another service serves this database: this one takes over when it stops",
      metadata: ["process": "\(holder.map { "\($0)" } ?? "unknown")"])
  }

  /// Whether another service still holds the claim.
  private let isWaiting = Atomic(false)

  /// Retries a claim that is waiting. Returns whether the claim has just succeeded.
  func retry() -> Bool {
    guard isWaiting.load(ordering: .relaxed), let lock else { return false }
    do throws(StoreError) {
      guard try lock.acquire() else { return false }
    } catch {
      // The lock was usable at the start; the next round retries.
      return false
    }
    isWaiting.store(false, ordering: .relaxed)
    return true
  }

  /// Releases the claim; called after the database is closed.
  func release() {
    lock?.release()
  }
}

/// Watches the database for changes by other processes: updates the health service, the log and the list of revoked
/// tokens. Purges deleted users.
struct DatabaseWatch: Service, CustomStringConvertible {
  /// Short enough that a token revoked by another process is refused within a second.
  private static let inspectionInterval: Duration = .milliseconds(500)
  private static let recoveryInterval: Duration = .seconds(1)
  private static let purgeInterval: Duration = .seconds(60)

  let repository: any ServiceStore
  let monitor: HealthMonitor
  let claim: DatabaseClaim
  let logger: Logger

  var description: String { "database watch" }

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await withTaskGroup(of: Void.self) { group in
        group.addTask { await inspect() }
        // A separate task, because another process's lock may block it.
        group.addTask {
          await Polling(every: Self.recoveryInterval).run { await repository.recover() }
        }
        group.addTask { await purge() }
      }
    }
  }

  private func inspect() async {
    var problem = CurrentProblem<StorageFault.Kind>()
    await Polling(every: Self.inspectionInterval).run {
      await repository.inspect()
      let fault = repository.writeFault
      if problem.changes(to: fault?.kind) { report(fault) }
      await monitor.refresh()
      if claim.retry() {
        logger.notice("the other service has stopped: this one now serves the database alone")
      }
    }
  }

  /// Purges users that were due a round ago, too: a clock that is wrong for a moment erases nothing.
  private func purge() async {
    var earlier: Timestamp?
    await Polling(every: Self.purgeInterval).run {
      let now = Timestamp.now
      if let earlier { await purge(at: min(earlier, now)) }
      earlier = now
    }
  }

  private func purge(at time: Timestamp) async {
    do throws(UserError) {
      let count = try await repository.purge(at: time)
      if count > 0 { logger.info("deleted users were purged", metadata: ["count": "\(count)"]) }
    } catch {
      // A failing database is reported by `inspect`, and the next round tries again.
    }
  }

  private func report(_ fault: StorageFault?) {
    guard let fault else { return logger.notice("the database can be written again: serving") }
    logger.error(
      "the database cannot be written: not serving",
      metadata: ["reason": "\(repository.failure(fault))"])
  }
}
