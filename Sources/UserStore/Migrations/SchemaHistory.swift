/// The applied migrations that a database records.
package struct SchemaHistory: Sendable {
  /// One row of `schema_migrations`.
  package struct Entry: Equatable, Sendable {
    package let version: Int
    package let name: String
    /// The ``Migration/checksum`` of the migration as it was applied.
    package let checksum: String
    /// The time of the migration (RFC 3339, UTC).
    package let appliedAt: String

    /// Creates a row.
    package init(version: Int, name: String, checksum: String, appliedAt: String) {
      self.version = version
      self.name = name
      self.checksum = checksum
      self.appliedAt = appliedAt
    }
  }

  /// The number that marks a database as ours ("USRS"). An SQLite file has it in its header
  /// (sqlite.org/pragma.html#pragma_application_id).
  package static let applicationID: Int32 = 0x5553_5253

  /// The rows, by version.
  package let entries: [Entry]

  /// Creates the history of these rows, which are in the order of their versions.
  package init(entries: [Entry]) {
    self.entries = entries
  }

  /// The version of the database; 0 before the first migration.
  package var version: Int { entries.last?.version ?? 0 }

  /// Checks that the history of the database `name` is an unedited prefix of `migrations`.
  ///
  /// - Throws: `StoreError.newer`, `.edited` or `.brokenHistory`.
  package func check(against migrations: [Migration], of name: String) throws(StoreError) {
    if version > migrations.count {
      throw .newer(path: name, version: version, newestKnown: migrations.count)
    }
    for (index, entry) in entries.enumerated() {
      guard entry.version == index + 1 else { throw .brokenHistory(path: name, missing: index + 1) }
      let migration = migrations[index]
      guard entry.checksum == migration.checksum else { throw .edited(path: name, migration: migration.id) }
    }
  }

  /// Checks that all of `migrations` are applied to the database `name`, whose history was checked.
  ///
  /// - Throws: `StoreError.pending`.
  package func requireCurrent(_ migrations: [Migration], of name: String) throws(StoreError) {
    if version < migrations.count {
      throw .pending(path: name, migrations: migrations[version...].map(\.id))
    }
  }

  /// Returns the migrations that a step down to `target` (nil: by one) would revert, in that order.
  package func plannedDown(to target: Int?, _ migrations: [Migration]) -> [Migration] {
    let end = target ?? max(version - 1, 0)
    return end < version && end >= 0 ? migrations[end..<version].reversed() : []
  }

  /// Returns every migration that the program or the database has, and its state.
  package func status(of migrations: [Migration]) -> MigrationStatus {
    let applied = Dictionary(entries.map { ($0.version, $0) }, uniquingKeysWith: { first, _ in first })
    var lines = migrations.map { migration in
      let state: MigrationStatus.Line.State =
        switch applied[migration.version] {
        case nil: .pending
        case let entry? where entry.checksum == migration.checksum: .applied(at: entry.appliedAt)
        case let entry?: .edited(at: entry.appliedAt)
        }
      return MigrationStatus.Line(version: migration.version, name: migration.name, state: state)
    }
    for entry in entries where entry.version > migrations.count {
      lines.append(
        MigrationStatus.Line(version: entry.version, name: entry.name, state: .unknown(at: entry.appliedAt)))
    }
    return MigrationStatus(lines: lines, version: version)
  }
}
