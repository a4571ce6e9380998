import Primitives
import Synchronization

/// Numbers that many threads add to. Each thread has its own row, or shares it with a few, and a number is the sum of
/// its column. Threads that add at the same time do not wait for each other's cache lines.
///
/// `@unchecked Sendable`: the memory is allocated and freed with the object, and every cell is atomic.
final class ThreadCells: @unchecked Sendable {
  private typealias Cell = Atomic<UInt64>

  /// The number of rows, so that few busy threads share one.
  private static let rows = 16
  private static let cacheLine = 64

  private let cells: UnsafeMutablePointer<Cell>
  /// The number of cells of a row, which fills whole cache lines.
  private let stride: Int

  init(columns: Int) {
    let line = Self.cacheLine / MemoryLayout<Cell>.stride
    stride = (columns + line - 1) / line * line
    let count = Self.rows * stride
    cells = UnsafeMutableRawPointer.allocate(
      byteCount: count * MemoryLayout<Cell>.stride, alignment: Self.cacheLine
    ).bindMemory(to: Cell.self, capacity: count)
    for index in 0..<count { (cells + index).initialize(to: Cell(0)) }
  }

  deinit {
    cells.deinitialize(count: Self.rows * stride)
    UnsafeMutableRawPointer(cells).deallocate()
  }

  private var row: UnsafeMutablePointer<Cell> { cells + ThreadNumber.current % Self.rows * stride }

  /// Adds `amount` to the number in `column`, which wraps around at 2^64.
  func add(_ amount: UInt64, to column: Int) {
    row[column].wrappingAdd(amount, ordering: .relaxed)
  }

  /// Adds to two numbers.
  func add(_ first: UInt64, to column: Int, and second: UInt64, to other: Int) {
    let row = row
    row[column].wrappingAdd(first, ordering: .relaxed)
    row[other].wrappingAdd(second, ordering: .relaxed)
  }

  /// Returns the number in `column`: all earlier additions, and perhaps some of the concurrent ones.
  func sum(of column: Int) -> UInt64 {
    (0..<Self.rows).reduce(0) { sum, row in
      sum &+ cells[row * stride + column].load(ordering: .relaxed)
    }
  }

  func reset() {
    for index in 0..<Self.rows * stride { cells[index].store(0, ordering: .relaxed) }
  }
}
