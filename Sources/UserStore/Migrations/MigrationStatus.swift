/// The state of a database's migrations.
public struct MigrationStatus: Hashable, Sendable {
  /// A migration and its state.
  public struct Line: Hashable, Sendable {
    /// The state of a migration.
    public enum State: Hashable, Sendable {
      /// Applied at this time (RFC 3339, UTC).
      case applied(at: String)
      /// Applied at this time, with other SQL than this version has.
      case edited(at: String)
      /// Applied at this time by a newer program.
      case unknown(at: String)
      /// Not applied yet.
      case pending
    }

    /// The migration's version.
    public let version: Int
    /// The migration's name.
    public let name: String
    /// The migration's state.
    public let state: State
  }

  /// The migrations that the program or the database has, by version.
  public let lines: [Line]
  /// The version of the database.
  public let version: Int
}
