import ArgumentParser
import Foundation
import UserStore
import UserStoreSQLite

/// `--database`, shared by every command that opens a database: the one place that chooses its engine.
struct DatabaseOption: ParsableArguments {
  @Option(help: ArgumentHelp("Open this SQLite database file.", valueName: "path"))
  var database: String

  func validate() throws {
    if database.isEmpty { throw ValidationError("--database must not be empty") }
    if database == ":memory:" {
      throw ValidationError("--database must name a file: an in-memory database ends with the command")
    }
  }

  /// - Throws: `StoreError.missing` if no file has the path.
  func requireExisting() throws(StoreError) {
    guard FileManager.default.fileExists(atPath: database) else { throw .missing(path: database) }
  }

  /// The migrator of the database, which waits up to `lockTimeout` for another process that holds it.
  func migrator(lockTimeout: Duration) -> any StoreMigrator {
    SQLiteMigrator(path: database, lockTimeout: lockTimeout)
  }

  /// The tokens of the database that are revoked one by one.
  var revocations: any TokenRevocations { SQLiteTokenRevocations(path: database) }

  /// Opens the database, which must have all migrations. The caller closes it.
  ///
  /// - Throws: `StoreError` if the database cannot be used.
  func open() throws(StoreError) -> any ServiceStore {
    try requireExisting()
    return try SQLiteUserRepository(.file(database), schema: .requireCurrent)
  }
}
