/// The reason why a database is not copied.
public enum CopyFault: Hashable, Sendable {
  /// Source and target are one database.
  case sameDatabase(path: String)
  /// A service, or another copy, uses the database: "process 12", or "a service at 192.0.2.1".
  case inUse(path: String, by: String)
  /// The database is the target of a copy that was interrupted.
  case unfinished(path: String)
  /// The target has data that does not come from an interrupted copy.
  case occupied(path: String, table: String)
  /// The target has part of another database, or of the same one before a service used it.
  case otherSource(path: String)
  /// The rows of a table do not go together with those that are stored: the source was changed during the copy.
  case conflict(path: String, table: String, reason: String)
  /// A row is not the same in both databases.
  case difference(CopyDifference)
}

/// The first difference between two databases.
public struct CopyDifference: Hashable, Sendable {
  /// The table.
  public let table: String
  /// The primary key of the row; hexadecimal, its parts with full stops between them.
  public let key: String
  /// What is different.
  public let finding: String

  package init(table: String, key: String, finding: String) {
    self.table = table
    self.key = key
    self.finding = finding
  }
}

extension CopyFault: CustomStringConvertible {
  /// One line for an operator: what is wrong, and the remedy.
  public var description: String {
    switch self {
    case .sameDatabase(let path): "\(path): source and target are the same database; nothing was changed"
    case .inUse(let path, let user): "\(path): \(user) uses this database; stop it first"
    case .unfinished(let path):
      """
      \(path): this database is part of a copy that was interrupted; run the same 'user-service copy' again to \
      complete it
      """
    case .occupied(let path, let table):
      """
      \(path): the target has data already, in \(table), and was not changed; copy to an empty database, or compare \
      the two with --verify-only
      """
    case .otherSource(let path):
      """
      \(path): the target is part of a copy of another database, or its source was used meanwhile; it was not \
      changed; copy to an empty database
      """
    case .conflict(let path, let table, let reason):
      """
      \(path): rows of \(table) cannot be stored (\(reason)): the source was changed since the copy began; copy to \
      an empty database
      """
    case .difference(let difference): difference.description
    }
  }
}

extension CopyDifference: CustomStringConvertible {
  /// One line for an operator.
  public var description: String { "the databases differ: in \(table), row \(key): \(finding)" }
}

extension CopyDifference {
  /// Returns the first difference between the rows of two databases, which continue the same table after the same row; nil
  /// if they are equal.
  package static func first(
    between source: [CopiedRow], and target: [CopiedRow], in table: CopiedTable
  ) -> CopyDifference? {
    for (index, row) in source.enumerated() {
      let key = CopiedKey(of: row, in: table)
      guard index < target.count else { return missing(key, in: table) }
      let copy = target[index]
      if row == copy { continue }
      let other = CopiedKey(of: copy, in: table)
      if key < other { return missing(key, in: table) }
      if other < key { return unknown(other, in: table) }
      let columns = zip(table.columns, zip(row, copy))
      guard let (column, values) = columns.first(where: { $1.0 != $1.1 }) else { continue }
      return CopyDifference(
        table: table.name, key: key.text,
        finding: "\(column.name) is \(difference(values.0, values.1, column.form)) in the target")
    }
    return target.count > source.count
      ? unknown(CopiedKey(of: target[source.count], in: table), in: table) : nil
  }

  private static func difference(
    _ value: CopiedValue, _ other: CopiedValue, _ form: CopiedTable.Column.Form
  ) -> String {
    let (value, other) = (value.words(form), other.words(form))
    return value == other
      ? "\(value) in the source, and \(other) that differ" : "\(value) in the source, but \(other)"
  }

  private static func missing(_ key: CopiedKey, in table: CopiedTable) -> CopyDifference {
    CopyDifference(table: table.name, key: key.text, finding: "the target lacks it")
  }

  private static func unknown(_ key: CopiedKey, in table: CopiedTable) -> CopyDifference {
    CopyDifference(table: table.name, key: key.text, finding: "only the target has it")
  }
}
