import GRDB
import UserDomain
import UserStore

/// Opens the connections of a repository, the first and later ones.
struct Opening: Sendable {
  let location: DatabaseLocation
  let settings: SQLiteConnection.Settings
  /// The page cache of a read-only connection, in bytes.
  let readerCacheSize: Int
  /// The schema version that the statements need.
  let schemaVersion: Int

  /// Opens another connection to `files`.
  ///
  /// - Throws: `StoreError.storage` with the kind `moved` if the paths now lead to other files.
  func open(
    _ access: SQLiteConnection.Access, _ files: DatabaseFiles?, writes: WriteSettings?
  ) throws(StoreError) -> UserConnection {
    if case .inMemory = location { throw .inaccessible(path: "\(location)", reason: "the database is gone") }
    try requireUnmoved(files)
    var settings = settings
    if access == .readOnly { settings.cacheSize = readerCacheSize }
    let connection = try SQLiteConnection(location, access, settings: settings)
    do throws(StoreError) {
      // The path may have changed during the opening.
      try requireUnmoved(files)
      return try prepare(connection, writes: writes)
    } catch {
      // The failure being reported matters more than a failure to close.
      try? connection.close()
      throw error
    }
  }

  private func requireUnmoved(_ files: DatabaseFiles?) throws(StoreError) {
    do throws(DatabaseError) {
      try files?.requireUnmoved()
    } catch {
      throw StoreError(error, at: location)
    }
  }

  /// Compiles the statements of a connection.
  func prepare(_ connection: SQLiteConnection, writes: WriteSettings?) throws(StoreError) -> UserConnection {
    do throws(DatabaseError) {
      try connection.noteFiles()
      return try UserConnection(connection, schemaVersion: schemaVersion, writes: writes)
    } catch {
      throw StoreError(connection.explained(error, schemaVersion: schemaVersion), at: location)
    }
  }

  /// Fills the revocation list when the repository is opened.
  func load(
    _ revocations: RevocationList, from connection: UserConnection
  ) throws(StoreError) -> StoredRevocations.Mark {
    do {
      return try StoredRevocations.load(revocations, from: connection)
    } catch {
      throw StoreError(error, at: location)
    }
  }
}
