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

  init(_ statement: Statement, of connection: OpaquePointer) {
    self.statement = statement
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

  func id(at column: Int32) throws(DatabaseError) -> UserID {
    let bytes = UnsafeRawBufferPointer(
      start: sqlite3_column_blob(handle, column), count: Int(sqlite3_column_bytes(handle, column)))
    guard let id = UserID(bytes: bytes) else {
      throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "an id is not 16 bytes")
    }
    return id
  }

  func text(at column: Int32) -> String {
    // Null only for a NULL value or when out of memory. A column that allows NULL is tested for it first.
    guard let start = sqlite3_column_text(handle, column) else { return "" }
    let count = Int(sqlite3_column_bytes(handle, column))
    return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  }

  /// Calls `body` with the text of a column as stored, or repaired if another program stored invalid UTF-8. The text is
  /// SQLite's until the next step.
  func withText<Result>(at column: Int32, _ body: (UTF8Span) -> Result) -> Result {
    // As a BLOB, because SQLite would copy a text to end it with a zero. The database is encoded in UTF-8.
    let start = sqlite3_column_blob(handle, column)?.assumingMemoryBound(to: UInt8.self)
    let bytes = UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column)))
    // Most text is ASCII, which is faster to detect than to validate UTF-8: a listing would take 1 % more instructions.
    if bytes.reduce(0, |) < 0x80 { return body(UTF8Span(unchecked: bytes.span, isKnownASCII: true)) }
    // The position of the fault does not matter: the whole text is repaired.
    if let text = try? UTF8Span(validating: bytes.span) { return body(text) }
    return body(String(decoding: bytes, as: UTF8.self).utf8Span)
  }

  func blob(at column: Int32) -> [UInt8] {
    Array(
      UnsafeRawBufferPointer(
        start: sqlite3_column_blob(handle, column), count: Int(sqlite3_column_bytes(handle, column))))
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
