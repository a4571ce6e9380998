import UserStore

/// A target whose copy is interrupted after some batches, or which stores other rows than it is given.
final class InterruptedTarget: CopyTarget {
  static let interruption = StoreError.inaccessible(path: "", reason: "interrupted")

  private let target: any CopyTarget
  private var remaining: Int
  /// The number of rows that were stored.
  private(set) var stored = 0

  private let change: (inout CopiedRow, CopiedTable) -> Void

  init(
    _ target: any CopyTarget, after batches: Int = .max,
    changing change: @escaping (inout CopiedRow, CopiedTable) -> Void = { _, _ in }
  ) {
    self.target = target
    self.change = change
    remaining = batches
  }

  var name: String { target.name }
  var progress: CopyProgress? { target.progress }

  func begin(_ progress: CopyProgress) throws(StoreError) { try target.begin(progress) }

  func store(_ rows: [CopiedRow], in table: CopiedTable, _ progress: CopyProgress) throws(StoreError) {
    guard remaining > 0 else { throw Self.interruption }
    remaining -= 1
    var stored = rows
    for index in stored.indices { change(&stored[index], table) }
    try target.store(stored, in: table, progress)
    self.stored = progress.rows
  }

  func complete() throws(StoreError) { try target.complete() }
  func reader() throws(StoreError) -> any CopySource { try target.reader() }
  func end() throws(StoreError) { try target.end() }
  func close() throws(StoreError) { try target.close() }
}
