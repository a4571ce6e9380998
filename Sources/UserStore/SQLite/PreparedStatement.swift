import GRDB
import GRDBSQLite
import UserDomain

/// A compiled statement that is bound and stepped through SQLite's C API, without GRDB's dispatch, authoriser and row
/// layers. It belongs to the owner of its connection.
struct PreparedStatement {
  /// Keeps the statement alive, and finalizes it.
  private let statement: Statement
  private let handle: OpaquePointer
  private let connection: OpaquePointer

  /// Whether the database's texts are stored in UTF-8, as in every database that this project has made.
  private let hasUTF8: Bool

  init(_ statement: Statement, of connection: OpaquePointer, hasUTF8: Bool) {
    self.statement = statement
    self.hasUTF8 = hasUTF8
    handle = statement.sqliteStatement
    self.connection = connection
  }

  // MARK: Parameters, counted from 1
  //
  // SQLITE_TRANSIENT makes SQLite copy. Codes other than SQLITE_OK are SQLITE_RANGE and SQLITE_MISUSE (a defect here),
  // SQLITE_TOOBIG (beyond 10^9 bytes) and SQLITE_NOMEM.

  func bind(_ id: UserID, at index: Int32) throws(DatabaseError) {
    try check(id.withUnsafeBytes { sqlite3_bind_blob(handle, index, $0.baseAddress, 16, Self.transient) })
  }

  func bind(_ bytes: [UInt8], at index: Int32) throws(DatabaseError) {
    try check(sqlite3_bind_blob(handle, index, bytes, Int32(clamping: bytes.count), Self.transient))
  }

  func bind(_ text: String, at index: Int32) throws(DatabaseError) {
    var text = text
    let code = text.withUTF8 { bytes in
      // A null pointer would bind NULL, and an empty buffer may have one.
      bytes.withMemoryRebound(to: CChar.self) { characters in
        sqlite3_bind_text(
          handle, index, characters.baseAddress ?? Self.emptyText, Int32(clamping: characters.count),
          Self.transient)
      }
    }
    try check(code)
  }

  func bind(_ number: Int64, at index: Int32) throws(DatabaseError) {
    try check(sqlite3_bind_int64(handle, index, number))
  }

  func bindEmptyBlob(at index: Int32) throws(DatabaseError) {
    try check(sqlite3_bind_zeroblob(handle, index, 0))
  }

  func bindNull(at index: Int32) throws(DatabaseError) {
    try check(sqlite3_bind_null(handle, index))
  }

  // MARK: Execution

  /// Steps to the next row. Returns false after the last row.
  ///
  /// The statement must be reset after a failure, or when the remaining rows are not needed.
  func step() throws(DatabaseError) -> Bool {
    switch sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    case let code: throw failure(code)
    }
  }

  /// Ends the execution, and its read transaction.
  ///
  /// The code that sqlite3_reset returns repeats the failure of the last step, which `step` has already thrown.
  func reset() {
    sqlite3_reset(handle)
  }

  /// Runs a statement that returns no rows.
  func run() throws(DatabaseError) {
    defer { reset() }
    _ = try step()
  }

  // MARK: Columns of the current row, counted from 0
  //
  // The bytes and their count are those of the column's value: that takes one look at the column instead of two. In
  // SQLite's multi-thread mode such a value may be used like any other (sqlite.org/c3ref/value.html).

  func id(at column: Int32) throws(DatabaseError) -> UserID {
    guard let id = UserID(bytes: blobBytes(at: column)) else {
      throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "an id is not 16 bytes")
    }
    return id
  }

  func text(at column: Int32) -> String {
    String(decoding: textBytes(at: column), as: UTF8.self)
  }

  /// Calls `body` with the text of a column as stored, or repaired if another program stored invalid UTF-8. The text is
  /// SQLite's until the next step.
  func withText<Result>(at column: Int32, _ body: (UTF8Span) -> Result) -> Result {
    let bytes = textBytes(at: column)
    // Most text is ASCII, which is faster to detect than to validate UTF-8.
    if bytes.isASCII { return body(UTF8Span(unchecked: bytes.span, isKnownASCII: true)) }
    // The position of the fault does not matter: the whole text is repaired.
    if let text = try? UTF8Span(validating: bytes.span) { return body(text) }
    return body(String(decoding: bytes, as: UTF8.self).utf8Span)
  }

  func blob(at column: Int32) -> [UInt8] { Array(blobBytes(at: column)) }

  /// The bytes are SQLite's until the next step.
  private func blobBytes(at column: Int32) -> UnsafeRawBufferPointer {
    let value = sqlite3_column_value(handle, column)
    return UnsafeRawBufferPointer(start: sqlite3_value_blob(value), count: Int(sqlite3_value_bytes(value)))
  }

  /// The bytes are SQLite's until the next step.
  private func textBytes(at column: Int32) -> UnsafeBufferPointer<UInt8> {
    let value = sqlite3_column_value(handle, column)
    // Null only for a NULL value or when out of memory. A column that allows NULL is tested for it first.
    guard hasUTF8 else {
      let start = sqlite3_value_text(value)
      return UnsafeBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_value_bytes(value)))
    }
    // As a BLOB, because SQLite would copy a text to end it with a zero.
    let start = sqlite3_value_blob(value)?.assumingMemoryBound(to: UInt8.self)
    return UnsafeBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_value_bytes(value)))
  }

  func integer(at column: Int32) -> Int64 {
    sqlite3_column_int64(handle, column)
  }

  func isNull(at column: Int32) -> Bool {
    sqlite3_column_type(handle, column) == SQLITE_NULL
  }

  private func check(_ code: Int32) throws(DatabaseError) {
    if code != SQLITE_OK { throw failure(code) }
  }

  /// GRDB turns extended codes on for every connection, so `code` is an extended one.
  private func failure(_ code: Int32) -> DatabaseError {
    DatabaseError(
      resultCode: ResultCode(rawValue: code), message: String(cString: sqlite3_errmsg(connection)))
  }

  private static var transient: sqlite3_destructor_type {
    // SQLITE_TRANSIENT is a C macro that casts -1, which Swift does not import.
    unsafeBitCast(-1, to: sqlite3_destructor_type.self)
  }

  private static var emptyText: UnsafePointer<CChar> {
    let text: StaticString = ""
    return UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
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
