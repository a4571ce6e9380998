/// Splits CSV (RFC 4180) into records, in whatever pieces its bytes come. A value without I/O.
///
/// Lines end with CRLF or LF. Empty lines, and a byte order mark at the beginning, are left out. It is our own because
/// SwiftCSV wants the whole file in memory.
public struct CSVParser {
  /// One record.
  public struct Record: Hashable, Sendable {
    /// The line that it begins on, from 1.
    public let line: Int
    /// Its fields, as far as they can be read.
    public let fields: [String]
    /// What is wrong with it, or nil.
    public let problem: String?
  }

  /// The longest record, in bytes.
  public static let maximumLength = 65_536

  private enum Place {
    case fieldStart
    case plain
    case quoted
    /// Behind a quote in a quoted field: its end, or half of a quote in it.
    case quote
    /// Behind a carriage return behind that: the line ends, or the record is broken.
    case quoteReturn
  }

  private var place = Place.fieldStart
  private var field: [UInt8] = []
  private var fields: [String] = []
  private var problem: String?
  private var length = 0
  private var line = 1
  private var firstLine = 1
  private var isAtStart = true

  /// A parser at the beginning of a file.
  public init() {}

  /// Takes more bytes, and returns the records that they complete.
  ///
  /// - Throws: `UserFileError` for a record that is too long: a quote that nobody has closed would swallow the file.
  public mutating func append(_ bytes: some Sequence<UInt8>) throws(UserFileError) -> [Record] {
    var records: [Record] = []
    for byte in bytes {
      if let record = take(byte) { records.append(record) }
      length += 1
      if length > Self.maximumLength + 1 {
        throw UserFileError(
          line: firstLine, "a record of more than \(Self.maximumLength) bytes: is a quote not closed?")
      }
    }
    return records
  }

  /// Returns the last record, if no line end came after it.
  ///
  /// - Throws: `UserFileError` if it ends within quotes.
  public mutating func finish() throws(UserFileError) -> Record? {
    switch place {
    case .quoted: throw UserFileError(line: firstLine, "a quote is not closed")
    case .fieldStart, .plain: if field.last == UInt8(ascii: "\r") { field.removeLast() }
    case .quote, .quoteReturn: break
    }
    return endRecord()
  }

  private mutating func take(_ byte: UInt8) -> Record? {
    if byte == UInt8(ascii: "\n") { line += 1 }
    switch (place, byte) {
    case (.quoted, UInt8(ascii: "\"")):
      place = .quote
    case (.quoted, _):
      field.append(byte)
    case (.quote, UInt8(ascii: "\"")):
      field.append(byte)
      place = .quoted
    case (.fieldStart, UInt8(ascii: "\"")):
      // A byte order mark may be before the first field.
      if isAtStart, field == Self.byteOrderMark { field = [] }
      if !field.isEmpty { problem = problem ?? "a quote within a field that is not quoted" }
      place = .quoted
    case (_, UInt8(ascii: ",")):
      endField()
    case (.quote, UInt8(ascii: "\n")), (.quoteReturn, UInt8(ascii: "\n")):
      return endRecord()
    case (_, UInt8(ascii: "\n")):
      if field.last == UInt8(ascii: "\r") { field.removeLast() }
      return endRecord()
    case (.quote, UInt8(ascii: "\r")):
      place = .quoteReturn
    case (.quote, _), (.quoteReturn, _):
      problem = problem ?? "text behind a quoted field"
      field.append(byte)
      place = .plain
    case (_, UInt8(ascii: "\"")):
      problem = problem ?? "a quote within a field that is not quoted"
      field.append(byte)
    case (_, _):
      field.append(byte)
      // What may come before a quote, or before the end of an empty line.
      let isNothingYet = field == [UInt8(ascii: "\r")] || isAtStart && Self.byteOrderMark.starts(with: field)
      if !isNothingYet { place = .plain }
    }
    return nil
  }

  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  private mutating func endField() {
    if isAtStart, field.starts(with: Self.byteOrderMark) { field.removeFirst(Self.byteOrderMark.count) }
    isAtStart = false
    if let text = String(validating: field, as: UTF8.self) {
      fields.append(text)
    } else {
      problem = problem ?? "not UTF-8"
      fields.append(String(decoding: field, as: UTF8.self))
    }
    field.removeAll(keepingCapacity: true)
    place = .fieldStart
  }

  private mutating func endRecord() -> Record? {
    defer {
      (fields, problem, length, firstLine) = ([], nil, 0, line)
    }
    if fields.isEmpty, field.isEmpty, case .fieldStart = place { return nil }
    endField()
    return Record(line: firstLine, fields: fields, problem: problem)
  }
}
