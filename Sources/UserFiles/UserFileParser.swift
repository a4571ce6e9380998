import Foundation
public import UserServiceClient

/// A user to create, as read from a file.
public struct UserFileRow: Hashable, Sendable {
  /// The reason why a row is invalid.
  public struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
    /// The reason in one sentence.
    public let description: String

    /// Creates a problem with this description.
    public init(_ description: String) {
      self.description = description
    }
  }

  /// The line where the row begins, from 1.
  public let line: Int
  /// The user, or the reason why the row is invalid.
  public let user: Result<NewUser, Problem>
  /// The row's bytes in the file, for a file of rejected rows: a line of JSON, or a CSV record with its line ending.
  /// The columns `line` and `reason` of an earlier such file are removed, and a line that is too long is truncated.
  let original: [UInt8]
}

/// Parses users incrementally from chunks of a file of any size, without I/O.
public struct UserFileParser {
  private enum State {
    case csv(CSVParser, columns: [UserColumn]?)
    case jsonl(JSONLinesParser)
  }

  private var state: State
  private var beginning = TextBeginning()
  /// The first line of a CSV file, byte for byte except the columns `line` and `reason`. Empty for JSON, and until
  /// that line has been read.
  public private(set) var header: [UInt8] = []
  /// The positions of the columns `line` and `reason`.
  private var own: Set<Int> = []

  /// Creates a parser at the start of a file.
  public init(_ format: UserFileFormat) {
    state =
      switch format {
      case .csv: .csv(CSVParser(), columns: nil)
      case .jsonl: .jsonl(JSONLinesParser())
      }
  }

  /// Parses more bytes, and returns the rows that they complete.
  ///
  /// - Throws: `UserFileError` if the rest of the file cannot be parsed: it is UTF-16, has unknown columns, or lacks
  ///   a closing quote.
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

  /// Returns the rows that remain at the end of the file.
  ///
  /// - Throws: the errors of ``append(_:)``, and an error for an empty CSV file.
  public mutating func finish() throws(UserFileError) -> [UserFileRow] {
    let first = try parse(beginning.finish())
    switch state {
    case .csv(var parser, _):
      let last = try parser.finish()
      let rows = try first + rows(last.map { [$0] } ?? [])
      guard case .csv(_, .some) = state else {
        throw UserFileError(line: 1, "the line with the column names is missing")
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
        throw UserFileError(line: record.line, "the column '\(name)' appears twice")
      }
      columns.append(column)
    }
    guard columns.contains(.email) else {
      throw UserFileError(line: record.line, "the column 'email' is missing")
    }
    return columns
  }

  private static func user(
    _ record: CSVParser.Record, _ columns: [UserColumn]
  ) throws(UserFileRow.Problem) -> NewUser {
    if let problem = record.problem { throw UserFileRow.Problem(problem) }
    guard record.fields.count == columns.count else {
      throw UserFileRow.Problem("\(record.fields.count) fields, but the first line has \(columns.count)")
    }
    var user = NewUser(email: "")
    // A listing for spreadsheets would otherwise be imported with changed addresses and names.
    let isListing = columns.contains(.id)
    for (column, text) in zip(columns, record.fields) {
      if isListing, UserColumn.read.contains(column), SpreadsheetText.isQuoted(text) {
        throw UserFileRow.Problem(
          "\(column.rawValue) starts with a ' for spreadsheets; write the listing with --raw")
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
  /// Refuses an inactive user, which would otherwise become active.
  static func throwIfInactive(_ status: String) throws(UserFileRow.Problem) {
    if !status.isEmpty, status != "active" {
      throw UserFileRow.Problem("users are created active, but this one is \(status)")
    }
  }
}
