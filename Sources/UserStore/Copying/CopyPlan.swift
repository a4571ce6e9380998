/// How far a copy has come, as the target records it with each batch.
package struct CopyProgress: Hashable, Sendable {
  /// The ``CopyIdentity`` of the source, in hexadecimal.
  package let source: String
  /// The name of the table that is copied; empty when all are.
  package var table: String
  /// The ``CopiedKey/text`` of the last row of the table that is stored; nil before the first one.
  package var lastKey: String?
  /// The number of rows stored, of all tables.
  package var rows: Int

  /// Creates a record.
  package init(source: String, table: String, lastKey: String?, rows: Int) {
    self.source = source
    self.table = table
    self.lastKey = lastKey
    self.rows = rows
  }

  /// Creates the record of a copy that begins.
  package init(source: String) {
    self.init(source: source, table: CopiedTable.all[0].name, lastKey: nil, rows: 0)
  }
}

/// Decides what a copy does next: table after table, each in batches by its primary key.
package struct CopyPlan: Hashable, Sendable {
  /// A step of a copy.
  package enum Step: Hashable, Sendable {
    /// To begin to read a table after a key; nil: at its first row.
    case open(CopiedTable, after: CopiedKey?)
    /// To read the next rows of the open table, at most `limit`, and store them.
    case copy(CopiedTable, limit: Int)
    /// All rows are stored.
    case end
  }

  /// The progress to record with the batch that ``took(_:)`` was told last.
  package private(set) var progress: CopyProgress
  private let tables: [CopiedTable]
  private let batch: Int
  private var index: Int
  private var lastKey: CopiedKey?
  private var isOpen = false

  /// Creates the plan of a copy in batches of `batch` rows that goes on after `progress`; nil if that is the record of
  /// another version of the program.
  package init?(after progress: CopyProgress, batch: Int, tables: [CopiedTable] = CopiedTable.all) {
    guard let index = tables.firstIndex(where: { $0.name == progress.table }) ?? progress.endIndex(of: tables)
    else { return nil }
    self.progress = progress
    self.tables = tables
    self.batch = batch
    self.index = index
    if let text = progress.lastKey {
      guard index < tables.count, let key = CopiedKey(text: text), key.parts.count == tables[index].keyLength
      else { return nil }
      lastKey = key
    }
  }

  /// The next step.
  package var step: Step {
    guard index < tables.count else { return .end }
    let table = tables[index]
    return isOpen ? .copy(table, limit: batch) : .open(table, after: lastKey)
  }

  /// Records that the table is open.
  package mutating func opened() { isOpen = true }

  /// Records the rows that were read. They are then stored in one transaction with ``progress``.
  package mutating func took(_ rows: [CopiedRow]) {
    progress.rows += rows.count
    if rows.count < batch {
      index += 1
      isOpen = false
      lastKey = nil
      progress.table = index < tables.count ? tables[index].name : ""
    } else if let row = rows.last {
      lastKey = CopiedKey(of: row, in: tables[index])
    }
    progress.lastKey = lastKey?.text
  }
}

extension CopyProgress {
  fileprivate func endIndex(of tables: [CopiedTable]) -> Int? { table.isEmpty ? tables.count : nil }
}
