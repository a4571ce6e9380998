import Crypto
import Foundation
import Primitives

/// Copies everything of a database to an empty one, row by row, and compares them.
///
/// A copy that was interrupted goes on after its last batch: ``run(_:)`` again.
package struct DatabaseCopy {
  /// How far the work is.
  package struct State: Hashable, Sendable {
    /// What is done.
    package enum Phase: Hashable, Sendable {
      case copying
      case comparing
    }

    package let phase: Phase
    /// The table that is copied or compared.
    package let table: String
    /// The number of rows done, of `total`; `earlier` of them by an earlier run.
    package let rows: Int
    package let total: Int
    package let earlier: Int
  }

  /// The numbers of rows, by table, that are the same in both databases.
  package struct Outcome: Hashable, Sendable {
    package let rows: [(table: CopiedTable, count: Int)]
    /// The number of rows that an earlier run had copied.
    package let earlier: Int

    package static func == (left: Outcome, right: Outcome) -> Bool {
      left.earlier == right.earlier && left.rows.map(\.table) == right.rows.map(\.table)
        && left.rows.map(\.count) == right.rows.map(\.count)
    }

    package func hash(into hasher: inout Hasher) {
      hasher.combine(earlier)
      hasher.combine(rows.map(\.count))
    }

    /// The number of rows of all tables.
    package var total: Int { rows.reduce(0) { $0 + $1.count } }
  }

  /// The default number of rows in a batch. At about 500 bytes each, a batch has a few megabytes.
  package static let batch = 8_192

  private let source: any CopySource
  private let batch: Int
  private let report: (State) -> Void

  /// Creates a copy of `source`, which the caller closes. `report` is called after each batch.
  package init(
    _ source: any CopySource, batch: Int = DatabaseCopy.batch, report: @escaping (State) -> Void = { _ in }
  ) {
    self.source = source
    self.batch = batch
    self.report = report
  }

  /// Copies all rows to `target`, or those that an interrupted copy has left, and compares the databases. The caller
  /// closes the target.
  ///
  /// - Throws: `StoreError`. Nothing was changed if the target is refused; what is stored otherwise stays, for the next run.
  package func run(to target: any CopyTarget) throws(StoreError) -> Outcome {
    let identity = try identity()
    let earlier = target.progress
    let progress = earlier ?? CopyProgress(source: identity)
    guard progress.source == identity, var plan = CopyPlan(after: progress, batch: batch) else {
      throw .copy(.otherSource(path: target.name))
    }
    let total = try total()
    try target.begin(progress)
    try copy(&plan, to: target, total: total, earlier: progress.rows)
    try target.complete()
    let reader = try target.reader()
    let rows: [(table: CopiedTable, count: Int)]
    do {
      rows = try compare(with: reader, total: total)
    } catch {
      // The failure being reported matters more than a failure to close.
      try? reader.close()
      throw error
    }
    try reader.close()
    try target.end()
    return Outcome(rows: rows, earlier: earlier?.rows ?? 0)
  }

  /// Compares the source with `other`, which the caller closes. Changes nothing.
  ///
  /// - Throws: `CopyFault.difference` with the first difference.
  package func compare(with other: any CopySource) throws(StoreError) -> Outcome {
    Outcome(rows: try compare(with: other, total: try total()), earlier: 0)
  }

  private func copy(
    _ plan: inout CopyPlan, to target: any CopyTarget, total: Int, earlier: Int
  ) throws(StoreError) {
    while true {
      switch plan.step {
      case .open(let table, let key):
        try source.open(table, after: key)
        plan.opened()
      case .copy(let table, let limit):
        let rows = try source.next(limit)
        plan.took(rows)
        try target.store(rows, in: table, plan.progress)
        report(
          State(
            phase: .copying, table: table.name, rows: plan.progress.rows, total: total, earlier: earlier))
      case .end: return
      }
    }
  }

  private func compare(
    with other: any CopySource, total: Int
  ) throws(StoreError) -> [(table: CopiedTable, count: Int)] {
    var counts: [(table: CopiedTable, count: Int)] = []
    var done = 0
    for table in CopiedTable.all {
      try source.open(table, after: nil)
      try other.open(table, after: nil)
      var count = 0
      while true {
        let (rows, copies) = (try source.next(batch), try other.next(batch))
        if let difference = CopyDifference.first(between: rows, and: copies, in: table) {
          throw .copy(.difference(difference))
        }
        count += rows.count
        done += rows.count
        report(State(phase: .comparing, table: table.name, rows: done, total: total, earlier: 0))
        if rows.count < batch { break }
      }
      counts.append((table, count))
    }
    return counts
  }

  private func total() throws(StoreError) -> Int {
    var total = 0
    for table in CopiedTable.all { total += try source.count(table) }
    return total
  }

  /// Returns what tells the source from other databases, and changes nothing in it: the SHA-256 of the times of its
  /// migrations and of its secrets, which are random.
  private func identity() throws(StoreError) -> String {
    var hash = SHA256()
    func add(_ bytes: [UInt8]) {
      // Each with its length, so that no two lists have the same bytes.
      withUnsafeBytes(of: UInt64(bytes.count).bigEndian) { hash.update(bufferPointer: $0) }
      hash.update(data: bytes)
    }
    for entry in try source.history().entries { add(Array("\(entry.version) \(entry.appliedAt)".utf8)) }
    try source.open(.secrets, after: nil)
    while true {
      let rows = try source.next(batch)
      for row in rows { for value in row { add(value.bytes) } }
      if rows.count < batch { return Hexadecimal.encode(Array(hash.finalize())) }
    }
  }
}
