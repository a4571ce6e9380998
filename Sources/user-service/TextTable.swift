/// Columns of text, two spaces apart.
struct TextTable {
  private var widths: [Int] = []

  /// Creates a table without columns.
  init() {}

  /// Creates a table whose columns are as wide as their widest cell in `rows`.
  init(fitting rows: [[String]]) {
    for row in rows {
      for (column, cell) in row.enumerated() {
        if column == widths.count { widths.append(0) }
        widths[column] = max(widths[column], cell.count)
      }
    }
  }

  /// Formats a row. A cell that is wider than its column moves the cells after it.
  func line(_ cells: [String]) -> String {
    var line = ""
    for (cell, width) in zip(cells, widths) {
      line += cell + String(repeating: " ", count: max(width - cell.count, 0) + 2)
    }
    while line.last == " " { line.removeLast() }
    return line
  }
}
