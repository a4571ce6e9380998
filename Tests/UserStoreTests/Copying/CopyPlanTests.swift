import Testing
import UserStore

/// Tests what a copy does next, without databases.
@Suite struct CopyPlanTests {
  private let tables = Array(CopiedTable.all.prefix(3))
  private let start = CopyProgress(source: "s")

  private func row(_ number: UInt8, in table: CopiedTable) -> CopiedRow {
    (0..<table.columns.count).map { $0 < table.keyLength ? .bytes([number]) : .null }
  }

  private func plan(_ progress: CopyProgress? = nil) throws -> CopyPlan {
    try #require(CopyPlan(after: progress ?? start, batch: 2, tables: tables))
  }

  /// Copies tables of these lengths, and returns the rows of each batch, or those before the batch with the number `end`.
  private func copy(_ plan: inout CopyPlan, _ lengths: [Int], end: Int = .max) -> [[UInt8]] {
    var batches: [[UInt8]] = []
    var position: UInt8 = 0
    while batches.count < end {
      switch plan.step {
      case .open(_, let key):
        position = key?.parts[0][0] ?? 0
        plan.opened()
      case .copy(let table, let limit):
        let length = lengths[tables.firstIndex(of: table) ?? 0]
        let numbers = (Int(position) + 1..<max(min(Int(position) + limit, length), Int(position)) + 1).map {
          UInt8($0)
        }
        position = numbers.last ?? position
        plan.took(numbers.map { row($0, in: table) })
        batches.append(numbers)
      case .end: return batches
      }
    }
    return batches
  }

  @Test("tables follow each other, and each ends with a batch that is not full, perhaps an empty one")
  func order() throws {
    var plan = try plan()
    #expect(plan.step == .open(tables[0], after: nil))
    #expect(copy(&plan, [3, 0, 2]) == [[1, 2], [3], [], [1, 2], []])
    #expect(plan.step == .end)
    #expect(plan.progress == CopyProgress(source: "s", table: "", lastKey: nil, rows: 5))
  }

  @Test("a plan from the progress of any batch copies what remains", arguments: 0...6)
  func resumed(end: Int) throws {
    let lengths = [4, 1, 3]
    var whole = try plan()
    let expected = copy(&whole, lengths)
    var first = try plan()
    let begun = copy(&first, lengths, end: end)
    var second = try plan(first.progress)
    #expect(begun + copy(&second, lengths) == expected)
    #expect(second.progress == whole.progress)
  }

  @Test(
    "a record that this version does not know is refused",
    arguments: [
      CopyProgress(source: "s", table: "unknown", lastKey: nil, rows: 0),
      CopyProgress(source: "s", table: "users", lastKey: "0g", rows: 0),
      CopyProgress(source: "s", table: "users", lastKey: "01.02", rows: 0),
      CopyProgress(source: "s", table: "", lastKey: "01", rows: 0),
    ])
  func unknown(progress: CopyProgress) {
    #expect(CopyPlan(after: progress, batch: 2, tables: tables) == nil)
  }

  @Test(
    "keys are read back from their texts", arguments: [[[]], [[0, 255]], [[1], [], [2, 3]]] as [[[UInt8]]])
  func keys(parts: [[UInt8]]) {
    #expect(CopiedKey(text: CopiedKey(parts).text) == CopiedKey(parts))
  }

  @Test("of two rows the difference names the key, the column and the values, but no secret")
  func differences() {
    let table = CopiedTable.users
    let row = row(1, in: table)
    func first(_ source: [CopiedRow], _ target: [CopiedRow]) -> String? {
      CopyDifference.first(between: source, and: target, in: table)?.finding
    }
    #expect(first([row], [row]) == nil)
    #expect(first([row], []) == "the target lacks it")
    #expect(first([], [row]) == "only the target has it")
    #expect(first([row], [self.row(2, in: table)]) == "the target lacks it")
    #expect(first([self.row(2, in: table)], [row]) == "only the target has it")
    var other = row
    other[6] = .integer(-5)
    #expect(first([row], [other]) == "created_at is NULL in the source, but -5 in the target")
    let key = CopyDifference.first(between: [row], and: [other], in: table)?.key
    #expect(key == "01")
    var (left, right) = (row, row)
    (left[1], right[1]) = (.bytes([1]), .bytes([2]))
    #expect(first([left], [right]) == "email is 1 bytes in the source, and 1 bytes that differ in the target")
  }
}
