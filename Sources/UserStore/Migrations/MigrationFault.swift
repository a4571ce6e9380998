/// The reason why a database cannot be migrated to a version. The failing migration has changed nothing.
public enum MigrationFault: Hashable, Sendable {
  /// `--to` names a version without a migration.
  case unknownVersion(Int, newestKnown: Int)
  /// `up --to` names an older version than the database has, or `down --to` a newer one.
  case wrongDirection(from: Int, to: Int)
  /// A migration's SQL failed; its transaction was rolled back.
  case failed(migration: String, reason: String)
  /// A migration would have left rows that refer to missing rows; its transaction was rolled back.
  case foreignKeyViolations(migration: String, tables: [String])
}

extension MigrationFault: CustomStringConvertible {
  /// One line for an operator: what is wrong, and the remedy if known.
  public var description: String {
    switch self {
    case .unknownVersion(let version, let newestKnown):
      "there is no version \(version); versions are 0 (empty) to \(newestKnown)"
    case .wrongDirection(let from, let to):
      "the database is at version \(from); use '\(to < from ? "down" : "up") --to \(to)' to get to \(to)"
    case .failed(let migration, let reason):
      "migration \(migration) failed and was rolled back: \(reason)"
    case .foreignKeyViolations(let migration, let tables):
      """
      migration \(migration) was rolled back: it would leave rows that refer to missing rows, \
      in \(tables.joined(separator: ", "))
      """
    }
  }
}
