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
    switch format {
    case .csv:
      let values = UserColumn.listed.map { user.text($0) ?? "" }
      return Self.csv(isForSpreadsheets ? values.map(SpreadsheetText.quoted) : values)
    case .jsonl:
      var line = ""
      Self.append(UserColumn.listed.map { ($0, user.text($0)) }, to: &line)
      return line
    }
  }

  /// The line before the first user of an export, with its line ending; empty if the format has none.
  public var exportHeader: String {
    switch format {
    case .csv: Self.csv(UserColumn.exported.map(\.rawValue))
    case .jsonl: ""
    }
  }

  /// Appends the line of a user in an export, with its line ending. ``UserFileParser`` reads it as the same user.
  public func append(_ user: ImportedUser, to text: inout String) {
    let columns = UserColumn.exported
    switch format {
    case .csv: text += Self.csv(columns.map { user.text($0) ?? "" })
    case .jsonl: Self.append(columns.map { ($0, user.text($0)) }, to: &text)
    }
  }

  /// Appends an object with the columns that have a value, as a line.
  private static func append(_ values: [(column: UserColumn, text: String?)], to text: inout String) {
    var separator = "{"
    for (column, value) in values {
      guard let value else { continue }
      text += separator
      text += quoted(column.rawValue)
      text += ":"
      // The text of labels is JSON already.
      text += column == .labels ? value : quoted(value)
      separator = ","
    }
    text += "}\n"
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

  /// Returns a string of JSON (RFC 8259 section 7).
  static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
    if isPlain { return "\"\(text)\"" }
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": quoted += "\\\(scalar)"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case "\0"..<" ": quoted += "\\u00" + Hexadecimal.encode([UInt8(truncatingIfNeeded: scalar.value)])
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}

extension ImportedUser {
  /// The text of a column; nil if it has no value.
  fileprivate func text(_ column: UserColumn) -> String? {
    switch column {
    case .id: id
    case .email: email
    case .name: name.isEmpty ? nil : name
    case .status: status.description
    case .createdAt: createdAt.map(RFC3339Time.text)
    case .updatedAt: updatedAt.map(RFC3339Time.text)
    case .deletedAt: deletedAt.map(RFC3339Time.text)
    case .purgeAt: purgeAt.map(RFC3339Time.text)
    case .labels: labels.isEmpty ? nil : labels.text
    case .passwordHash: passwordHash
    case .password: password
    case .etag, .line, .reason: nil
    }
  }
}

extension User {
  /// The text of a column of a listing; nil if it has no value.
  fileprivate func text(_ column: UserColumn) -> String? {
    switch column {
    case .id: id
    case .email: email
    case .name: name
    case .status: status.description
    case .createdAt: createdAt.rfc3339(.microseconds)
    case .updatedAt: updatedAt.rfc3339(.microseconds)
    case .deletedAt: deletedAt?.rfc3339(.microseconds)
    case .purgeAt: purgeAt?.rfc3339(.microseconds)
    case .labels: labels.isEmpty ? nil : labels.text
    case .etag: etag
    case .passwordHash, .password, .line, .reason: nil
    }
  }
}

extension [String: String] {
  /// Labels as an object of JSON, in the order of their keys.
  fileprivate var text: String {
    let pairs = sorted { $0.key < $1.key }.map {
      "\(UserFileWriter.quoted($0.key)):\(UserFileWriter.quoted($0.value))"
    }
    return "{\(pairs.joined(separator: ","))}"
  }
}
