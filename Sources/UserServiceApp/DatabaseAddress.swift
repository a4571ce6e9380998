public import UserStore
public import UserStorePostgres
public import UserStoreSQLite

/// What the setting `database` and the option `--database` name: the one place that chooses an engine.
public enum DatabaseAddress: Hashable, Sendable {
  /// An SQLite file, or a database in memory.
  case sqlite(DatabaseLocation)
  /// A database of a PostgreSQL server.
  case postgres(PostgresAddress)

  /// Creates the address that `text` names: that of PostgreSQL if it begins with `postgres://` or `postgresql://`.
  ///
  /// - Throws: `StoreError.inaccessible` for a URI that libpq does not accept.
  public init(_ text: String) throws(StoreError) {
    self =
      PostgresAddress.isAddress(text)
      ? .postgres(try PostgresAddress(text)) : .sqlite(DatabaseLocation(path: text))
  }

  /// Opens the database for commands. It must exist and have all migrations. The caller closes it.
  ///
  /// - Throws: `StoreError` if the database cannot be used.
  public func open() async throws(StoreError) -> any ServiceStore {
    switch self {
    case .sqlite(let location): try SQLiteUserRepository(location, schema: .requireCurrent)
    case .postgres(let address): try await PostgresUserRepository(address, schema: .requireCurrent)
    }
  }

  /// The migrator of the database, which waits up to `lockTimeout` for another process that holds it.
  public func migrator(lockTimeout: Duration) -> any StoreMigrator {
    switch self {
    case .sqlite(let location): SQLiteMigrator(path: location.description, lockTimeout: lockTimeout)
    case .postgres(let address): PostgresMigrator(address, lockTimeout: lockTimeout)
    }
  }

  /// The tokens of the database that are revoked one by one.
  public var revocations: any TokenRevocations {
    switch self {
    case .sqlite(let location): SQLiteTokenRevocations(path: location.description)
    case .postgres(let address): PostgresTokenRevocations(address)
    }
  }
}

extension DatabaseAddress: CustomStringConvertible {
  /// The path, or the URI without its password.
  public var description: String {
    switch self {
    case .sqlite(let location): location.description
    case .postgres(let address): address.description
    }
  }
}
