import Foundation
import UserServiceClient

/// The users in the records of a CSV file, whose first record names the columns.
struct CSVRows: RowParser {
  private var parser = CSVParser()
  /// The columns; nil until they are read.
  private var columns: [UserColumn]?
  private(set) var header: [UInt8] = []
  /// The positions of the columns `line` and `reason`.
  private var own: Set<Int> = []
  /// Whether texts that begin with a `'` before a formula are those of a listing for spreadsheets.
  private var isListing = false

  mutating func append(
    _ bytes: UnsafeBufferPointer<UInt8>, to rows: inout [UserFileRow]
  ) throws(UserFileError) {
    var records: [CSVParser.Record] = []
    var failure: UserFileError?
    do throws(UserFileError) { try parser.append(bytes, to: &records) } catch { failure = error }
    try read(records, to: &rows)
    if let failure { throw failure }
  }

  mutating func finish() throws(UserFileError) -> [UserFileRow] {
    let last = try parser.finish()
    var rows: [UserFileRow] = []
    try read(last.map { [$0] } ?? [], to: &rows)
    if columns == nil { throw UserFileError(line: 1, "the line with the column names is missing") }
    return rows
  }

  private mutating func read(
    _ records: [CSVParser.Record], to rows: inout [UserFileRow]
  ) throws(UserFileError) {
    rows.reserveCapacity(records.count)
    for record in records {
      if let columns {
        let user = Result { () throws(UserFileRow.Problem) in try self.user(record, columns) }
        rows.append(UserFileRow(line: record.line, user: user, original: record.raw(without: own)))
      } else {
        let columns = try Self.columns(record)
        self.columns = columns
        own = Set(columns.indices.filter { [.line, .reason].contains(columns[$0]) })
        // A listing has ids, as an export has, but no hashes.
        isListing = columns.contains(.id) && !columns.contains(.passwordHash)
        header = record.raw(without: own)
      }
    }
  }

  private static func columns(_ record: CSVParser.Record) throws(UserFileError) -> [UserColumn] {
    if let problem = record.problem { throw UserFileError(line: record.line, problem) }
    var columns: [UserColumn] = []
    for name in record.fields {
      guard let column = UserColumn(rawValue: name.trimmingCharacters(in: .whitespaces).lowercased()) else {
        throw UserFileError(line: record.line, "the column \(UserColumn.unknown(name))")
      }
      if columns.contains(column) {
        throw UserFileError(line: record.line, "the column '\(name)' appears twice")
      }
      columns.append(column)
    }
    guard columns.contains(.email) else {
      throw UserFileError(line: record.line, "the column 'email' is missing")
    }
    return columns
  }

  private func user(
    _ record: CSVParser.Record, _ columns: [UserColumn]
  ) throws(UserFileRow.Problem) -> ImportedUser {
    if let problem = record.problem { throw UserFileRow.Problem(problem) }
    guard record.fields.count == columns.count else {
      throw UserFileRow.Problem("\(record.fields.count) fields, but the first line has \(columns.count)")
    }
    var user = ImportedUser(email: "")
    for (column, text) in zip(columns, record.fields) {
      // A listing for spreadsheets would otherwise be imported with changed addresses and names.
      if isListing, SpreadsheetText.isQuoted(text) {
        throw UserFileRow.Problem(
          "\(column.rawValue) starts with a ' for spreadsheets; write the listing with --raw")
      }
      try user.set(column, text)
    }
    return user
  }
}
