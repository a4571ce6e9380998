import Foundation

/// Prints measurements as rows of one table, as they are made.
struct Report {
  private var hasHeader = false

  /// Prints one row: our cost, the raw cost in the same run, and their ratio.
  mutating func line(_ what: String, ours: Double, raw: Double?, unit: String, note: String = "") {
    if !hasHeader {
      row("measurement", "ours", "raw", "ratio", "unit", "")
      hasHeader = true
    }
    row(
      what, Self.number(ours), raw.map(Self.number) ?? "–",
      raw.map { String(format: "%.2f", ours / $0) } ?? "–",
      unit, note)
  }

  /// Prints a line outside the table.
  func text(_ line: String) {
    FileHandle.standardOutput.write(Data("\(line)\n".utf8))
  }

  private func row(
    _ what: String, _ ours: String, _ raw: String, _ ratio: String, _ unit: String, _ note: String
  ) {
    let cells = [
      what.padded(to: 44), ours.leftPadded(to: 10), raw.leftPadded(to: 10), ratio.leftPadded(to: 7), " ",
      unit.padded(to: 14), note,
    ]
    // `print` would hold lines back when the output is a file.
    FileHandle.standardOutput.write(Data((cells.joined(separator: " ") + "\n").utf8))
  }

  private static func number(_ value: Double) -> String {
    String(format: value < 100 ? "%.2f" : "%.0f", value)
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(width - count, 0))
  }

  fileprivate func leftPadded(to width: Int) -> String {
    String(repeating: " ", count: max(width - count, 0)) + self
  }
}
