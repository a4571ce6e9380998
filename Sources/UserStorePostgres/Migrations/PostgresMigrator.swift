import Primitives
import UserDomain
public import UserStore

/// Migrates a PostgreSQL database, as `user-service migrate` does. The database itself must exist.
///
/// The tables are made in the first schema of the `search_path`. A lock keeps other migrators out while a migration runs;
/// services go on, as far as its SQL permits.
public struct PostgresMigrator: StoreMigrator {
  private let address: PostgresAddress
  private let migrations: [Migration]
  private let lockTimeout: Duration

  /// Creates a migrator of the database at `address`. It waits up to `lockTimeout` for another one, and for locks of
  /// services.
  public init(
    _ address: PostgresAddress, migrations: [Migration] = Migration.postgres,
    lockTimeout: Duration = .seconds(60)
  ) {
    self.address = address
    self.migrations = migrations
    self.lockTimeout = lockTimeout
  }

  public func up(
    to target: Int?, report: (Migration) -> Void, progress: ((MigrationProgress) -> Void)?
  ) throws(StoreError) -> Int {
    try withSession { (session) throws(StoreError) in
      let target = try checkTarget(target ?? migrations.count)
      var version = try session.checkedHistory().version
      if version > target { throw .migration(.wrongDirection(from: version, to: target)) }
      while version < target {
        guard let step = try session.applyNext(upTo: target, progress) else {
          return try session.checkedHistory().version
        }
        version = step.version
        report(step)
      }
      return version
    }
  }

  public func down(
    to target: Int?, report: (Migration) -> Void, progress: ((MigrationProgress) -> Void)?
  ) throws(StoreError) -> Int {
    try withSession { (session) throws(StoreError) in
      var version = try session.checkedHistory().version
      let target = try checkTarget(target ?? max(version - 1, 0))
      if version < target { throw .migration(.wrongDirection(from: version, to: target)) }
      while version > target {
        guard let step = try session.revertLast(downTo: target, progress) else {
          return try session.checkedHistory().version
        }
        version = step.version - 1
        report(step)
      }
      return version
    }
  }

  public func plannedDown(to target: Int?) throws(StoreError) -> [Migration] {
    try withSession { (session) throws(StoreError) in
      try session.checkedHistory().plannedDown(to: target, migrations)
    }
  }

  public func status() throws(StoreError) -> MigrationStatus {
    try withSession { (session) throws(StoreError) in try session.history().status(of: migrations) }
  }

  /// Checks that all migrations are applied and unedited, and that no row refers to a missing one. Reads whole tables. For
  /// damage to the server's files there are its own tools (postgresql.org/docs/current/amcheck.html).
  public func verify() throws(StoreError) {
    try withSession { (session) throws(StoreError) in
      try session.checkedHistory().requireCurrent(migrations, of: address.description)
      try session.requireWhole()
      try session.checkReferences()
    }
  }

  // MARK: For services

  /// Applies all migrations for a service that starts. A database that a newer version has migrated by one step stays as it
  /// is.
  func prepareForService() throws(StoreError) {
    try withSession { (session) throws(StoreError) in
      try session.requireWhole()
      if try session.usableHistory().version < migrations.count {
        while try session.applyNext(upTo: migrations.count, nil) != nil {}
      }
    }
  }

  /// - Throws: `StoreError.pending` if migrations are not applied, `CopyFault.unfinished` for the target of a copy, and the
  ///   errors of a history that is not ours.
  func requireUsable() throws(StoreError) {
    try withSession { (session) throws(StoreError) in
      let history = try session.usableHistory()
      if history.version < migrations.count {
        try history.requireCurrent(migrations, of: address.description)
      }
      try session.requireWhole()
    }
  }

  private func checkTarget(_ target: Int) throws(StoreError) -> Int {
    guard (0...migrations.count).contains(target) else {
      throw .migration(.unknownVersion(target, newestKnown: migrations.count))
    }
    return target
  }

  private func withSession<Value>(
    _ body: (MigrationSession) throws(StoreError) -> Value
  ) throws(StoreError) -> Value {
    let connector = PostgresConnector(
      address: address, role: .administration(lockTimeout: lockTimeout))
    let handle: LibpqHandle
    do {
      handle = try connector.open()
    } catch {
      throw StoreError(error, at: address)
    }
    return try body(MigrationSession(handle, address, migrations))
  }
}
