import UserStore

/// Rows in the binary form of `COPY` (postgresql.org/docs/current/sql-copy.html, "Binary Format"): a signature, then each row
/// after its number of columns, each value after its length, and an end.
struct CopyData {
  private(set) var bytes: [UInt8] = []

  /// The signature, no flags and no extension of the header.
  private static let header: [UInt8] =
    Array("PGCOPY\n".utf8) + [0xff, 0x0d, 0x0a, 0] + [UInt8](repeating: 0, count: 8)

  /// Creates the data of these rows of a table.
  init(_ rows: [CopiedRow], in table: CopiedTable) {
    bytes.reserveCapacity(rows.count * 64 * table.columns.count / 2)
    bytes += Self.header
    for row in rows {
      append(Int16(table.columns.count))
      for (column, value) in zip(table.columns, row) { append(value, column.form) }
    }
    append(Int16(-1))
  }

  private mutating func append(_ value: CopiedValue, _ form: CopiedTable.Column.Form) {
    switch value {
    case .null: append(Int32(-1))
    case .integer(let number) where form == .small:
      append(Int32(2))
      // The schema permits 1 and 2.
      append(Int16(clamping: number))
    case .integer(let number):
      append(Int32(8))
      append(number)
    case .bytes(let value):
      append(Int32(clamping: value.count))
      bytes += value
    }
  }

  private mutating func append(_ number: some FixedWidthInteger) {
    withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
  }
}
