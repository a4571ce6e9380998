import Foundation
public import UserServiceClient

/// A user to be created, as a file has it.
public struct UserFileRow: Hashable, Sendable {
  /// Why a row is no user.
  public struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
    /// One sentence.
    public let description: String

    /// A problem in the words of `description`.
    public init(_ description: String) {
      self.description = description
    }
  }

  /// The line that it begins on, from 1.
  public let line: Int
  /// The user, or why the row is none.
  public let user: Result<NewUser, Problem>
  /// The bytes that the file has for it, for a file of rejected rows: a CSV record with its line end, but without the
  /// columns `line` and `reason` of an earlier such file; or a line of JSON. A line that is too long is cut.
  let original: [UInt8]
}

/// Reads users out of a file's bytes, in whatever pieces they come. A value without I/O.
public struct UserFileParser {
  private enum State {
    case csv(CSVParser, columns: [UserColumn]?)
    case jsonl(JSONLinesParser)
  }

  private var state: State
  private var beginning = TextBeginning()
  /// The first line of a CSV file, byte for byte but for the columns `line` and `reason`; empty for JSON, and before
  /// that line.
  public private(set) var header: [UInt8] = []
  /// The places of those columns.
  private var own: Set<Int> = []

  /// A parser at the beginning of a file.
  public init(_ format: UserFileFormat) {
    state =
      switch format {
      case .csv: .csv(CSVParser(), columns: nil)
      case .jsonl: .jsonl(JSONLinesParser())
      }
  }

  /// Takes more bytes, and returns the rows that they complete.
  ///
  /// - Throws: `UserFileError` if the rest of the file makes no sense any more: it is UTF-16, its columns are not ours,
  ///   or a quote is not closed.
  public mutating func append(_ bytes: some Sequence<UInt8>) throws(UserFileError) -> [UserFileRow] {
    try parse(beginning.append(bytes))
  }

  private mutating func parse(_ bytes: [UInt8]) throws(UserFileError) -> [UserFileRow] {
    switch state {
    case .csv(var parser, let columns):
      let records = try parser.append(bytes)
      state = .csv(parser, columns: columns)
      return try rows(records)
    case .jsonl(var parser):
      let rows = parser.append(bytes)
      state = .jsonl(parser)
      return rows
    }
  }

  /// Returns what is left at the end of the file.
  ///
  /// - Throws: as ``append(_:)``, and for a CSV file without a line.
  public mutating func finish() throws(UserFileError) -> [UserFileRow] {
    let first = try parse(beginning.finish())
    switch state {
    case .csv(var parser, _):
      let last = try parser.finish()
      let rows = try first + rows(last.map { [$0] } ?? [])
      guard case .csv(_, .some) = state else {
        throw UserFileError(line: 1, "there is no line with the names of the columns")
      }
      return rows
    case .jsonl(var parser):
      return first + parser.finish()
    }
  }

  private mutating func rows(_ records: [CSVParser.Record]) throws(UserFileError) -> [UserFileRow] {
    var rows: [UserFileRow] = []
    rows.reserveCapacity(records.count)
    for record in records {
      guard case .csv(let parser, let columns) = state else { break }
      if let columns {
        rows.append(
          UserFileRow(
            line: record.line,
            user: Result { () throws(UserFileRow.Problem) in try Self.user(record, columns) },
            original: record.raw(without: own)))
      } else {
        let columns = try Self.columns(record)
        state = .csv(parser, columns: columns)
        own = Set(columns.indices.filter { [.line, .reason].contains(columns[$0]) })
        header = record.raw(without: own)
      }
    }
    return rows
  }

  private static func columns(_ record: CSVParser.Record) throws(UserFileError) -> [UserColumn] {
    if let problem = record.problem { throw UserFileError(line: record.line, problem) }
    var columns: [UserColumn] = []
    for name in record.fields {
      guard let column = UserColumn(rawValue: name.trimmingCharacters(in: .whitespaces).lowercased()) else {
        throw UserFileError(line: record.line, "the column \(UserColumn.unknown(name))")
      }
      if columns.contains(column) {
        throw UserFileError(line: record.line, "the column '\(name)' is there twice")
      }
      columns.append(column)
    }
    guard columns.contains(.email) else {
      throw UserFileError(line: record.line, "there is no column 'email'")
    }
    return columns
  }

  private static func user(
    _ record: CSVParser.Record, _ columns: [UserColumn]
  ) throws(UserFileRow.Problem) -> NewUser {
    if let problem = record.problem { throw UserFileRow.Problem(problem) }
    guard record.fields.count == columns.count else {
      throw UserFileRow.Problem("\(record.fields.count) fields where the first line has \(columns.count)")
    }
    var user = NewUser(email: "")
    // A listing may be one for spreadsheets; taken as it is, its addresses and names would be others.
    let isListing = columns.contains(.id)
    for (column, text) in zip(columns, record.fields) {
      if isListing, UserColumn.read.contains(column), SpreadsheetText.isQuoted(text) {
        throw UserFileRow.Problem(
          "\(column.rawValue) has a ' for spreadsheets in front; write the listing with --raw")
      }
      switch column {
      case .email: user.email = text
      case .name: user.name = text
      case .password: user.password = text.isEmpty ? nil : text
      case .status: try UserFileRow.Problem.throwIfInactive(text)
      case .id, .createdAt, .line, .reason: break
      }
    }
    return user
  }
}

extension UserFileRow.Problem {
  /// Refuses a row that would come out other than it is.
  static func throwIfInactive(_ status: String) throws(UserFileRow.Problem) {
    if !status.isEmpty, status != "active" {
      throw UserFileRow.Problem("users are created active, and this one is \(status)")
    }
  }
}
