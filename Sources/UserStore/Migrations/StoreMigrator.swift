/// Migrates a database, as `user-service migrate` does.
///
/// Every call opens the database, does its work and closes it. It refuses the following without changing anything:
///
/// - a database that is not one of user-service,
/// - a database newer than the program,
/// - a database with an edited migration,
/// - a migration that fails or leaves foreign-key violations.
///
/// Each migration is a transaction of its own. Of two migrators at once the second waits for the first.
public protocol StoreMigrator: Sendable {
  /// Applies migrations up to version `target` (nil: all). Creates a missing database where the engine can.
  ///
  /// - Parameters:
  ///   - report: called with each migration after its commit.
  ///   - progress: called while a migration runs, many times a second.
  /// - Returns: the resulting version of the database.
  @discardableResult
  func up(
    to target: Int?, report: (Migration) -> Void, progress: ((MigrationProgress) -> Void)?
  ) throws(StoreError) -> Int

  /// Reverts migrations down to version `target` (nil: only the last one). Their data is lost.
  ///
  /// - Parameters:
  ///   - report: called with each migration after its commit.
  ///   - progress: called while a migration runs, many times a second.
  /// - Returns: the resulting version of the database.
  @discardableResult
  func down(
    to target: Int?, report: (Migration) -> Void, progress: ((MigrationProgress) -> Void)?
  ) throws(StoreError) -> Int

  /// Returns the migrations that ``down(to:report:progress:)`` would revert, in that order.
  func plannedDown(to target: Int?) throws(StoreError) -> [Migration]

  /// Returns every migration and its state. Changes nothing.
  func status() throws(StoreError) -> MigrationStatus

  /// Checks that all migrations are applied and unedited, and that the database is sound, as far as its engine can
  /// tell. Changes nothing.
  ///
  /// - Throws: the first fault found.
  func verify() throws(StoreError)
}

extension StoreMigrator {
  /// Applies migrations up to version `target` (nil: all).
  ///
  /// - Returns: the resulting version of the database.
  @discardableResult
  public func up(to target: Int? = nil) throws(StoreError) -> Int {
    try up(to: target, report: { _ in }, progress: nil)
  }

  /// Reverts migrations down to version `target` (nil: only the last one). Their data is lost.
  ///
  /// - Returns: the resulting version of the database.
  @discardableResult
  public func down(to target: Int? = nil) throws(StoreError) -> Int {
    try down(to: target, report: { _ in }, progress: nil)
  }

  /// Returns the migrations that ``down(to:)`` would revert, in that order.
  public func plannedDown() throws(StoreError) -> [Migration] { try plannedDown(to: nil) }
}
