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
  let hasUTF8: Bool

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

  /// Binds a text by its UTF-8.
  func bind(utf8 bytes: [UInt8], at index: Int32) throws(DatabaseError) {
    let code = bytes.withUnsafeBytes { bytes in
      sqlite3_bind_text(
        handle, index, bytes.baseAddress?.assumingMemoryBound(to: CChar.self) ?? Self.emptyText,
        Int32(clamping: bytes.count), Self.transient)
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

  /// Binds a text; NULL for nil.
  func bind(_ text: String?, at index: Int32) throws(DatabaseError) {
    if let text {
      try bind(text, at: index)
    } else {
      try bindNull(at: index)
    }
  }

  /// Binds a number; NULL for nil.
  func bind(_ number: Int64?, at index: Int32) throws(DatabaseError) {
    if let number {
      try bind(number, at: index)
    } else {
      try bindNull(at: index)
    }
  }

  // MARK: Lent parameters
  //
  // SQLite does not copy their bytes, which saves an allocation each. They must stay where they are until the statement
  // has run; nothing reads them between that and the next binding.

  func bind(lent id: UnsafeRawBufferPointer, at index: Int32) throws(DatabaseError) {
    try check(sqlite3_bind_blob(handle, index, id.baseAddress, Int32(clamping: id.count), nil))
  }

  func bind(lent text: UnsafeBufferPointer<UInt8>, at index: Int32) throws(DatabaseError) {
    let code = text.withMemoryRebound(to: CChar.self) { characters in
      sqlite3_bind_text(
        handle, index, characters.baseAddress ?? Self.emptyText, Int32(clamping: characters.count), nil)
    }
    try check(code)
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

  /// The value is SQLite's until the next step.
  func value(at column: Int32) -> SQLiteValue {
    SQLiteValue(sqlite3_column_value(handle, column), isUTF8: hasUTF8)
  }

  func id(at column: Int32) throws(DatabaseError) -> UserID { try value(at: column).id() }

  func text(at column: Int32) -> String { value(at: column).text }

  func blob(at column: Int32) -> [UInt8] { Array(value(at: column).blob) }

  func integer(at column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

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

  private static var emptyText: UnsafePointer<CChar> { ("" as StaticString).characters }
}

extension StaticString {
  /// The text as C takes it, with a zero at its end.
  var characters: UnsafePointer<CChar> {
    UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self)
  }
}
