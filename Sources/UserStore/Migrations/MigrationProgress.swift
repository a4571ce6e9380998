/// How far a migration is: reported many times a second while it runs.
public struct MigrationProgress: Sendable {
  /// The migration.
  public let migration: Migration
  /// The beginning of the SQL statement that is executed.
  public let statement: String
  /// The time since the migration began.
  public let elapsed: Duration

  /// Creates the progress of a migration that executes a statement with this ``summary(_:)``.
  package init(migration: Migration, statement: String, elapsed: Duration) {
    self.migration = migration
    self.statement = statement
    self.elapsed = elapsed
  }

  /// The length of ``statement`` in characters.
  private static let statementLength = 60

  /// Returns the beginning of a statement, without comments and line breaks.
  package static func summary(_ sql: String) -> String {
    let lines = sql.split(whereSeparator: \.isNewline).map { $0.trimmingPrefix { $0 == " " } }
    let text = lines.filter { !$0.hasPrefix("--") }.joined(separator: " ")
    return text.count > statementLength ? text.prefix(statementLength - 1) + "…" : text
  }
}
