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
  /// The bytes of the current record that earlier chunks had.
  private var carried: [UInt8] = []
  private var commas: [Int] = []
  private var problem: String?
  /// Whether a field of the record is quoted.
  private var hasQuotes = false
  private var line = 1
  private var firstLine = 1

  /// Creates a parser at the start of a file.
  public init() {}

  /// Parses more bytes, and returns the records that they complete.
  ///
  /// - Throws: `UserFileError` if a record is too long, as after a missing closing quote.
  public mutating func append(_ bytes: some Sequence<UInt8>) throws(UserFileError) -> [Record] {
    var records: [Record] = []
    try Array(bytes).withUnsafeBufferPointer { bytes throws(UserFileError) in try append(bytes, to: &records)
    }
    return records
  }

  /// Parses more bytes, and appends the records that they complete to `records`.
  ///
  /// - Throws: `UserFileError` if a record is too long. `records` then has the records before.
  mutating func append(
    _ bytes: UnsafeBufferPointer<UInt8>, to records: inout [Record]
  ) throws(UserFileError) {
    var start = 0
    var position = 0
    while position < bytes.count {
      if place == .plain {
        // Most bytes are in the middle of a field.
        while position < bytes.count, !Self.isSpecial(bytes[position]) { position += 1 }
        if position == bytes.count { break }
      }
      let byte = bytes[position]
      position += 1
      if byte == UInt8(ascii: "\n") {
        line += 1
        if take(byte, at: carried.count + position - 1 - start) {
          if let record = try endRecord(bytes[start..<position]) { records.append(record) }
          start = position
        }
      } else {
        _ = take(byte, at: carried.count + position - 1 - start)
      }
    }
    carried += bytes[start...]
    try checkLength(carried.count)
  }

  /// Returns the last record if it has no line ending.
  ///
  /// - Throws: `UserFileError` if the record ends within quotes.
  public mutating func finish() throws(UserFileError) -> Record? {
    if place == .quoted { throw UserFileError(line: firstLine, "a closing quote is missing") }
    return try endRecord(UnsafeBufferPointer(start: nil, count: 0)[...])
  }

  private static func isSpecial(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\"")
  }

  private func checkLength(_ length: Int) throws(UserFileError) {
    // One more byte for a carriage return.
    if length > Self.maximumLength + 1 {
      throw UserFileError(
        line: firstLine, "a record exceeds \(Self.maximumLength) bytes; look for a missing closing quote")
    }
  }

  /// Takes a byte at this position in the record. Returns whether it ends the record.
  private mutating func take(_ byte: UInt8, at position: Int) -> Bool {
    switch (place, byte) {
    case (.quoted, UInt8(ascii: "\"")):
      place = .quote
    case (.quoted, _):
      break
    case (.quote, UInt8(ascii: "\"")):
      place = .quoted
    case (.fieldStart, UInt8(ascii: "\"")):
      // Only a carriage return stays at the start of a field.
      if position > (commas.last.map { $0 + 1 } ?? 0) { problem = problem ?? "a quote in an unquoted field" }
      hasQuotes = true
      place = .quoted
    case (_, UInt8(ascii: ",")):
      commas.append(position)
      place = .fieldStart
    case (_, UInt8(ascii: "\n")):
      return true
    case (.quote, UInt8(ascii: "\r")):
      place = .quoteReturn
    case (.quote, _), (.quoteReturn, _):
      problem = problem ?? "text after a quoted field"
      place = .plain
    case (_, UInt8(ascii: "\"")):
      problem = problem ?? "a quote in an unquoted field"
    case (.fieldStart, UInt8(ascii: "\r")):
      // A lone carriage return is an empty line.
      break
    case (_, _):
      place = .plain
    }
    return false
  }

  /// Returns the record that ends with these bytes, or nil for an empty line.
  private mutating func endRecord(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) throws(UserFileError) -> Record?
  {
    // The record owns this buffer. Keeping the capacity would make every record as large as the longest one.
    let raw = carried + bytes
    defer {
      (carried, place, commas, problem, hasQuotes, firstLine) = ([], .fieldStart, [], nil, false, line)
    }
    try checkLength(raw.count)
    var end = raw.count
    if raw.last == UInt8(ascii: "\n") { end -= 1 }
    if end > 0, raw[end - 1] == UInt8(ascii: "\r") { end -= 1 }
    if end == 0 { return nil }
    var fields: [String] = []
    fields.reserveCapacity(commas.count + 1)
    raw.withUnsafeBufferPointer { raw in
      var start = 0
      for comma in commas {
        fields.append(field(raw[start..<comma]))
        start = comma + 1
      }
      fields.append(field(raw[start..<max(end, start)]))
    }
    return Record(line: firstLine, fields: fields, problem: problem, raw: raw, commas: commas)
  }

  /// Returns the text of a field, without its quotes.
  private mutating func field(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> String {
    let quote = UInt8(ascii: "\"")
    if hasQuotes, problem == nil, bytes.first == quote, let last = bytes.lastIndex(of: quote) {
      let inner = bytes[bytes.startIndex + 1..<last]
      if !inner.contains(quote) { return text(inner) }
      // Each quote in a quoted field is doubled (RFC 4180 section 2.7).
      var isEscape = false
      return text(
        inner.filter { byte in
          isEscape = byte == quote && !isEscape
          return !isEscape
        })
    }
    return text(bytes)
  }

  private mutating func text(_ bytes: some Collection<UInt8>) -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    problem = problem ?? TextEncoding.problem(of: Array(bytes))
    return String(decoding: bytes, as: UTF8.self)
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
