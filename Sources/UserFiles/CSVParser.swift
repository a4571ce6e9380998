/// Splits CSV (RFC 4180) into records incrementally, from chunks of any size, without I/O.
///
/// Lines end with CRLF or LF. Empty lines are skipped. SwiftCSV is not used because it needs the whole file in
/// memory.
public struct CSVParser {
  /// One record.
  public struct Record: Hashable, Sendable {
    /// The line where the record begins, from 1.
    public let line: Int
    /// The fields, as far as they can be parsed.
    public let fields: [String]
    /// The problem that makes the record invalid, or nil.
    public let problem: String?
    /// The record's original bytes, including the line ending.
    public let raw: [UInt8]
    /// The positions in `raw` of the commas between fields.
    let commas: [Int]
  }

  /// The longest record, in bytes.
  public static let maximumLength = 65_536

  private enum Place {
    case fieldStart
    case plain
    case quoted
    /// After a quote in a quoted field: the end of the field, or the first half of an escaped quote.
    case quote
    /// After a carriage return in ``quote``: a line feed must follow.
    case quoteReturn
  }

  private var place = Place.fieldStart
  private var field: [UInt8] = []
  private var fields: [String] = []
  private var problem: String?
  private var raw: [UInt8] = []
  private var commas: [Int] = []
  private var line = 1
  private var firstLine = 1

  /// Creates a parser at the start of a file.
  public init() {}

  /// Parses more bytes, and returns the records that they complete.
  ///
  /// - Throws: `UserFileError` if a record is too long, as after a missing closing quote.
  public mutating func append(_ bytes: some Sequence<UInt8>) throws(UserFileError) -> [Record] {
    var records: [Record] = []
    for byte in bytes {
      raw.append(byte)
      if let record = take(byte) { records.append(record) }
      // One more byte for a carriage return.
      if raw.count > Self.maximumLength + 1 {
        throw UserFileError(
          line: firstLine, "a record exceeds \(Self.maximumLength) bytes; look for a missing closing quote")
      }
    }
    return records
  }

  /// Returns the last record if it has no line ending.
  ///
  /// - Throws: `UserFileError` if the record ends within quotes.
  public mutating func finish() throws(UserFileError) -> Record? {
    switch place {
    case .quoted: throw UserFileError(line: firstLine, "a closing quote is missing")
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
      if !field.isEmpty { problem = problem ?? "a quote in an unquoted field" }
      place = .quoted
    case (_, UInt8(ascii: ",")):
      commas.append(raw.count - 1)
      endField()
    case (.quote, UInt8(ascii: "\n")), (.quoteReturn, UInt8(ascii: "\n")):
      return endRecord()
    case (_, UInt8(ascii: "\n")):
      if field.last == UInt8(ascii: "\r") { field.removeLast() }
      return endRecord()
    case (.quote, UInt8(ascii: "\r")):
      place = .quoteReturn
    case (.quote, _), (.quoteReturn, _):
      problem = problem ?? "text after a quoted field"
      field.append(byte)
      place = .plain
    case (_, UInt8(ascii: "\"")):
      problem = problem ?? "a quote in an unquoted field"
      field.append(byte)
    case (_, _):
      field.append(byte)
      // A lone carriage return is an empty line.
      if field != [UInt8(ascii: "\r")] { place = .plain }
    }
    return nil
  }

  private mutating func endField() {
    if let text = String(validating: field, as: UTF8.self) {
      fields.append(text)
    } else {
      problem = problem ?? TextEncoding.problem(of: field)
      fields.append(String(decoding: field, as: UTF8.self))
    }
    field.removeAll(keepingCapacity: true)
    place = .fieldStart
  }

  private mutating func endRecord() -> Record? {
    defer {
      (fields, problem, commas, firstLine) = ([], nil, [], line)
      // The record owns this buffer. Keeping the capacity would make every record as large as the longest one.
      raw = []
    }
    if fields.isEmpty, field.isEmpty, case .fieldStart = place { return nil }
    endField()
    return Record(line: firstLine, fields: fields, problem: problem, raw: raw, commas: commas)
  }
}

extension CSVParser.Record {
  /// Returns `raw` without the fields at `places`; the other bytes stay unchanged.
  func raw(without places: Set<Int>) -> [UInt8] {
    if places.isEmpty { return raw }
    let starts = [0] + commas.map { $0 + 1 }
    let ends = commas + [raw.count]
    let kept = zip(starts, ends).enumerated().filter { !places.contains($0.offset) }
    return Array(kept.map { raw[$0.element.0..<$0.element.1] }.joined(separator: [UInt8(ascii: ",")]))
  }
}
