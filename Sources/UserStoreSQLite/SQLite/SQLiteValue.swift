import GRDB
import GRDBSQLite
import UserDomain

/// A value in SQLite's memory: a column of the current row, or an argument of an SQL function.
///
/// In SQLite's multi-thread mode a column's value may be used like an argument (sqlite.org/c3ref/value.html). It
/// takes one look at the column, where functions of the column take one for its bytes and one for their number.
struct SQLiteValue {
  private let value: OpaquePointer?
  private let isUTF8: Bool

  /// - Parameter isUTF8: whether texts are stored in UTF-8, as in every database that this project has made.
  init(_ value: OpaquePointer?, isUTF8: Bool) {
    self.value = value
    self.isUTF8 = isUTF8
  }

  var isNull: Bool { sqlite3_value_type(value) == SQLITE_NULL }

  var integer: Int64 { sqlite3_value_int64(value) }

  /// The times of google.protobuf.Timestamp, the years 1 to 9999, in microseconds.
  private static let times: ClosedRange<Int64> = -62_135_596_800_000_000...253_402_300_799_999_999

  /// - Throws: `SQLITE_CORRUPT` for a time that no message can have.
  func timestamp() throws(DatabaseError) -> Timestamp {
    let microseconds = integer
    guard Self.times.contains(microseconds) else {
      throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a user has an impossible time")
    }
    return Timestamp(microsecondsSinceEpoch: microseconds)
  }

  var text: String { String(decoding: utf8, as: UTF8.self) }

  /// Calls `body` with the text as stored, or repaired if another program stored invalid UTF-8. The text is SQLite's.
  func withText<Result>(_ body: (UTF8Span) -> Result) -> Result {
    let bytes = utf8
    // Most text is ASCII, which is faster to detect than to validate UTF-8.
    if bytes.isASCII { return body(UTF8Span(unchecked: bytes.span, isKnownASCII: true)) }
    // The position of the fault does not matter: the whole text is repaired.
    if let text = try? UTF8Span(validating: bytes.span) { return body(text) }
    return body(String(decoding: bytes, as: UTF8.self).utf8Span)
  }

  func id() throws(DatabaseError) -> UserID {
    guard let id = UserID(bytes: blob) else {
      throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "an id is not 16 bytes")
    }
    return id
  }

  /// The bytes are SQLite's.
  var blob: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: sqlite3_value_blob(value), count: Int(sqlite3_value_bytes(value)))
  }

  private var blobStart: UnsafePointer<UInt8>? {
    sqlite3_value_blob(value)?.assumingMemoryBound(to: UInt8.self)
  }

  /// The text's bytes, which are SQLite's.
  var utf8: UnsafeBufferPointer<UInt8> {
    // Null only for a NULL value or when out of memory. A column that allows NULL is tested for it first.
    // As a BLOB, because SQLite would copy a text to end it with a zero.
    let start = isUTF8 ? blobStart : sqlite3_value_text(value)
    return UnsafeBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_value_bytes(value)))
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Whether no byte has its highest bit set. Looks at eight at a time.
  fileprivate var isASCII: Bool {
    let bytes = UnsafeRawBufferPointer(self)
    guard count >= 8 else { return allSatisfy { $0 < 0x80 } }
    // The last eight overlap those before.
    var union = bytes.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
    for offset in stride(from: 0, to: count - 8, by: 8) {
      union |= bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }
    return union & 0x8080_8080_8080_8080 == 0
  }
}
