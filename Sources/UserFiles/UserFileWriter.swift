import Foundation
import Primitives
public import UserServiceClient

/// Writes users, and rows that are none, as lines of a file. A value without I/O.
public struct UserFileWriter: Sendable {
  private let format: UserFileFormat
  private let isForSpreadsheets: Bool

  /// A writer of that format.
  ///
  /// - Parameter isForSpreadsheets: whether CSV fields that a spreadsheet would take for a formula get a `'` in front:
  ///   the listing is then one to look at, not to import.
  public init(_ format: UserFileFormat, isForSpreadsheets: Bool = false) {
    self.format = format
    self.isForSpreadsheets = isForSpreadsheets
  }

  /// The line before the first user, if the format has one; with its line end, as all that it returns.
  public var listingHeader: String {
    switch format {
    case .csv: Self.csv(UserColumn.listed.map(\.rawValue))
    case .jsonl: ""
    }
  }

  /// A user as a listing has it.
  public func line(_ user: User) -> String {
    let values = [
      user.id, user.email, user.name, user.status.description, user.createdAt.rfc3339(.microseconds),
    ]
    switch format {
    case .csv: return Self.csv(isForSpreadsheets ? values.map(SpreadsheetText.quoted) : values)
    case .jsonl: return Self.json(Array(zip(UserColumn.listed.map(\.rawValue), values)))
    }
  }

  /// The bytes before the first rejected row.
  ///
  /// - Parameter header: the first line of a CSV file, as ``UserFileParser/header`` has it.
  public func rejectedHeader(_ header: [UInt8]) -> [UInt8] {
    switch format {
    case .csv: Self.behind([UserColumn.line.rawValue, UserColumn.reason.rawValue], header)
    case .jsonl: []
    }
  }

  /// A rejected row, byte for byte as the file has it, with its line and what is wrong with it.
  ///
  /// In CSV these are two more columns. They come first, where a row with a broken field or too many of them has them
  /// too. In JSON lines they are an object on the line before, a note, which is left out when the file is read again:
  /// so a line that is not an object stays what it is.
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

  /// Those fields and the bytes of a record, with a line end if they have none.
  private static func behind(_ fields: [String], _ record: [UInt8]) -> [UInt8] {
    var line = Array(csv(fields).utf8)
    line[line.count - 1] = UInt8(ascii: ",")
    line += record
    if record.last != UInt8(ascii: "\n") { line.append(UInt8(ascii: "\n")) }
    return line
  }

  /// A record of those fields: RFC 4180, but for the line end, which is the one of other commands.
  static func csv(_ fields: [String]) -> String {
    fields.map { field in
      let isPlain = field.utf8.allSatisfy { !",\"\r\n".utf8.contains($0) }
      // An only field that is empty would be an empty line.
      if isPlain, !(fields.count == 1 && field.isEmpty) { return field }
      return "\"\(field.replacing("\"", with: "\"\""))\""
    }.joined(separator: ",") + "\n"
  }

  /// An object with those keys, in their order.
  private static func json(_ pairs: [(String, String)]) -> String {
    "{" + pairs.map { "\(quoted($0)):\(quoted($1))" }.joined(separator: ",") + "}\n"
  }

  private static func quoted(_ text: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    // Every string has a JSON text.
    return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
  }
}
