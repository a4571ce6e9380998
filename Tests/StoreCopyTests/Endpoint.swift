import Foundation
import GRDB
import TestSupport
import Testing
import UserDomain
import UserStore
import UserStorePostgres
import UserStoreSQLite

/// A database of a test, empty at first.
enum Endpoint {
  case file(TemporaryDirectory)
  case server(TestDatabase)

  /// The engines of source and target.
  enum Kind: String, CaseIterable, CustomTestStringConvertible {
    case file, server

    var testDescription: String { rawValue }
  }

  init(_ kind: Kind) async throws {
    self = kind == .file ? .file(try TemporaryDirectory()) : .server(try await TestDatabase())
  }

  /// The path of the file.
  var path: String {
    if case .file(let directory) = self { directory.path("users.db") } else { "" }
  }

  func store() async throws -> any ServiceStore {
    switch self {
    case .file: try SQLiteUserRepository(.file(path))
    case .server(let database): try await PostgresUserRepository(database.address)
    }
  }

  var revocations: any TokenRevocations {
    switch self {
    case .file: SQLiteTokenRevocations(path: path)
    case .server(let database): PostgresTokenRevocations(database.address)
    }
  }

  var migrator: any StoreMigrator {
    switch self {
    case .file: SQLiteMigrator(path: path)
    case .server(let database): PostgresMigrator(database.address)
    }
  }

  func source() throws -> any CopySource {
    switch self {
    case .file: try SQLiteCopySource(path: path)
    case .server(let database): try PostgresCopySource(database.address)
    }
  }

  func target() throws -> any CopyTarget {
    switch self {
    case .file: try SQLiteCopyTarget(path: path)
    case .server(let database): try PostgresCopyTarget(database.address)
    }
  }

  /// Executes a statement, as another program does.
  func execute(_ sql: String) throws {
    switch self {
    case .file: try DatabaseQueue(path: path).write { try $0.execute(sql: sql) }
    case .server(let database): try database.execute(sql)
    }
  }

  /// Returns the columns of all tables, except computed ones, as `table.column`.
  func columns() throws -> [String] {
    switch self {
    case .file:
      try DatabaseQueue(path: path).read { database in
        try String.fetchAll(
          database,
          sql: """
            SELECT tables.name || '.' || columns.name
            FROM sqlite_schema AS tables, pragma_table_xinfo(tables.name) AS columns
            WHERE tables.type = 'table' AND columns.hidden = 0
            """)
      }
    case .server(let database):
      try database.execute(
        """
        SELECT string_agg(table_name || '.' || column_name, ' ') FROM information_schema.columns
        WHERE table_schema = current_schema()
        """
      ).map { $0.split(separator: " ").map { String($0) } } ?? []
    }
  }

  /// Fills the database with everything that a service can have stored. Returns the users.
  func fill() async throws -> [UserID] {
    let store = try await store()
    let users = try await FullLife(store: store, revocations: revocations).fill()
    try await store.close()
    return users
  }

  /// Copies this database to `target`, in batches of `batch` rows.
  func copy(to target: Endpoint, batch: Int = 7) throws -> DatabaseCopy.Outcome {
    let (source, target) = (try source(), try target.target())
    defer {
      // What was copied is what counts.
      try? source.close()
      try? target.close()
    }
    return try DatabaseCopy(source, batch: batch).run(to: target)
  }

  /// Compares this database with `other`.
  func compare(with other: Endpoint, batch: Int = 7) throws -> DatabaseCopy.Outcome {
    let (source, other) = (try source(), try other.source())
    defer {
      // What was read is what counts.
      try? source.close()
      try? other.close()
    }
    return try DatabaseCopy(source, batch: batch).compare(with: other)
  }
}
