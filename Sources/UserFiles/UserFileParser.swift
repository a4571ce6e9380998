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
  /// What the file says, for a file of rejected rows: a CSV record's fields, or a line of JSON.
  let original: [String]
}

/// Reads users out of a file's bytes, in whatever pieces they come. A value without I/O.
public struct UserFileParser {
  private enum State {
    case csv(CSVParser, columns: [UserColumn]?)
    case jsonl(JSONLinesParser)
  }

  private var state: State
  /// The names of the columns as the file has them; empty for JSON, and before the first line.
  public private(set) var header: [String] = []

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
  /// - Throws: `UserFileError` if the rest of the file makes no sense any more: its columns are not ours, or a quote is
  ///   not closed.
  public mutating func append(_ bytes: some Sequence<UInt8>) throws(UserFileError) -> [UserFileRow] {
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
    switch state {
    case .csv(var parser, _):
      let last = try parser.finish()
      let rows = try rows(last.map { [$0] } ?? [])
      guard case .csv(_, .some) = state else {
        throw UserFileError(line: 1, "there is no line with the names of the columns")
      }
      return rows
    case .jsonl(var parser):
      return parser.finish()
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
            original: record.fields))
      } else {
        state = .csv(parser, columns: try Self.columns(record))
        header = record.fields
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
    for (column, text) in zip(columns, record.fields) {
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
