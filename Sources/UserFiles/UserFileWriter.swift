import Foundation
import Primitives
public import UserServiceClient

/// Formats users and rejected rows as lines of a file, without I/O.
public struct UserFileWriter: Sendable {
  private let format: UserFileFormat
  private let isForSpreadsheets: Bool

  /// Creates a writer of `format`.
  ///
  /// - Parameter isForSpreadsheets: whether CSV fields that a spreadsheet would read as formulas are prefixed with
  ///   `'`. Such a listing is for display and cannot be imported.
  public init(_ format: UserFileFormat, isForSpreadsheets: Bool = false) {
    self.format = format
    self.isForSpreadsheets = isForSpreadsheets
  }

  /// The line before the first user, with its line ending; empty if the format has none.
  public var listingHeader: String {
    switch format {
    case .csv: Self.csv(UserColumn.listed.map(\.rawValue))
    case .jsonl: ""
    }
  }

  /// Returns the line of a user in a listing, with its line ending.
  public func line(_ user: User) -> String {
    let values = [
      user.id, user.email, user.name, user.status.description, user.createdAt.rfc3339(.microseconds),
    ]
    switch format {
    case .csv: return Self.csv(isForSpreadsheets ? values.map(SpreadsheetText.quoted) : values)
    case .jsonl: return Self.json(Array(zip(UserColumn.listed.map(\.rawValue), values)))
    }
  }

  /// Returns the bytes before the first rejected row.
  ///
  /// - Parameter header: the first line of a CSV file, as in ``UserFileParser/header``.
  public func rejectedHeader(_ header: [UInt8]) -> [UInt8] {
    switch format {
    case .csv: Self.behind([UserColumn.line.rawValue, UserColumn.reason.rawValue], header)
    case .jsonl: []
    }
  }

  /// Returns the original bytes of a rejected row, with its line number and the reason.
  ///
  /// In CSV these are two additional columns. They come first, so that they can be found in a row with a broken field
  /// or too many fields.
  /// In JSON lines they are an object on the line before, which the parser skips. The rejected line itself stays
  /// unchanged, even if it is not an object.
  public func rejected(_ row: UserFileRow, reason: String) -> [UInt8] {
    switch format {
    case .csv:
      return Self.behind([String(row.line), reason], row.original)
    case .jsonl:
      let note = Self.json([
        (UserColumn.line.rawValue, String(row.line)), (UserColumn.reason.rawValue, reason),
      ])
      return note.utf8 + row.original + [UInt8(ascii: "\n")]
    }
  }

  /// Returns `fields` followed by the bytes of a record, with a line ending if it has none.
  private static func behind(_ fields: [String], _ record: [UInt8]) -> [UInt8] {
    var line = Array(csv(fields).utf8)
    line[line.count - 1] = UInt8(ascii: ",")
    line += record
    if record.last != UInt8(ascii: "\n") { line.append(UInt8(ascii: "\n")) }
    return line
  }

  /// Returns a record of `fields`: RFC 4180, except for the line ending, which is LF.
  static func csv(_ fields: [String]) -> String {
    fields.map { field in
      let isPlain = field.utf8.allSatisfy { !",\"\r\n".utf8.contains($0) }
      // A single empty field would be an empty line, so it is quoted.
      if isPlain, !(fields.count == 1 && field.isEmpty) { return field }
      return "\"\(field.replacing("\"", with: "\"\""))\""
    }.joined(separator: ",") + "\n"
  }

  /// Returns an object with these pairs, in order.
  private static func json(_ pairs: [(String, String)]) -> String {
    "{" + pairs.map { "\(quoted($0)):\(quoted($1))" }.joined(separator: ",") + "}\n"
  }

  private static func quoted(_ text: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    // Every string can be encoded.
    return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
  }
}
