/// Splits CSV (RFC 4180) into records, in whatever pieces its bytes come. A value without I/O.
///
/// Lines end with CRLF or LF. Empty lines are left out. It is our own because SwiftCSV wants the whole file in memory.
public struct CSVParser {
  /// One record.
  public struct Record: Hashable, Sendable {
    /// The line that it begins on, from 1.
    public let line: Int
    /// Its fields, as far as they can be read.
    public let fields: [String]
    /// What is wrong with it, or nil.
    public let problem: String?
    /// Its bytes as they came, with the line end.
    public let raw: [UInt8]
    /// Where the commas between its fields are in `raw`.
    let commas: [Int]
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
  private var raw: [UInt8] = []
  private var commas: [Int] = []
  private var line = 1
  private var firstLine = 1

  /// A parser at the beginning of a file.
  public init() {}

  /// Takes more bytes, and returns the records that they complete.
  ///
  /// - Throws: `UserFileError` for a record that is too long: a quote that is not closed would swallow the file.
  public mutating func append(_ bytes: some Sequence<UInt8>) throws(UserFileError) -> [Record] {
    var records: [Record] = []
    for byte in bytes {
      raw.append(byte)
      if let record = take(byte) { records.append(record) }
      // One more for a carriage return.
      if raw.count > Self.maximumLength + 1 {
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
      if !field.isEmpty { problem = problem ?? "a quote within a field that is not quoted" }
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
      problem = problem ?? "text behind a quoted field"
      field.append(byte)
      place = .plain
    case (_, UInt8(ascii: "\"")):
      problem = problem ?? "a quote within a field that is not quoted"
      field.append(byte)
    case (_, _):
      field.append(byte)
      // A carriage return alone is an empty line.
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
      // The record has this buffer; one of the same capacity would be as long as the longest record so far.
      raw = []
    }
    if fields.isEmpty, field.isEmpty, case .fieldStart = place { return nil }
    endField()
    return Record(line: firstLine, fields: fields, problem: problem, raw: raw, commas: commas)
  }
}

extension CSVParser.Record {
  /// `raw` without the fields at those places: the bytes of the others are as they came.
  func raw(without places: Set<Int>) -> [UInt8] {
    if places.isEmpty { return raw }
    let starts = [0] + commas.map { $0 + 1 }
    let ends = commas + [raw.count]
    let kept = zip(starts, ends).enumerated().filter { !places.contains($0.offset) }
    return Array(kept.map { raw[$0.element.0..<$0.element.1] }.joined(separator: [UInt8(ascii: ",")]))
  }
}
