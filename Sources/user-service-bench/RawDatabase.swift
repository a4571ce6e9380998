import Foundation
import GRDBSQLite
import UserDomain
import UserStore
import UserStoreSQLite

/// The yardstick: SQLite's C API with the same schema and settings, without our layers.
final class RawDatabase {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private let connection: OpaquePointer

  /// Opens `path`, and migrates a new database first.
  init(_ path: String) throws {
    try SQLiteMigrator(path: path).up()
    var connection: OpaquePointer?
    guard sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nil) == SQLITE_OK,
      let connection
    else { throw Failure(description: "cannot open \(path)") }
    self.connection = connection
    for sql in [
      "PRAGMA cache_size = -16384", "PRAGMA synchronous = FULL", "PRAGMA journal_size_limit = 67108864",
      "PRAGMA foreign_keys = ON",
    ] { try execute(sql) }
  }

  deinit { sqlite3_close_v2(connection) }

  func execute(_ sql: String) throws {
    guard sqlite3_exec(connection, sql, nil, nil, nil) == SQLITE_OK else { throw failure }
  }

  func prepare(_ sql: String) throws -> OpaquePointer {
    var statement: OpaquePointer?
    guard
      sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        == SQLITE_OK,
      let statement
    else { throw failure }
    return statement
  }

  /// Reads one user by id and touches every column.
  func read(_ id: UserID, with statement: OpaquePointer) throws -> Int {
    let step = id.withUnsafeBytes { bytes in
      sqlite3_bind_blob(statement, 1, bytes.baseAddress, 16, nil)
      return sqlite3_step(statement)
    }
    guard step == SQLITE_ROW else { throw failure }
    let size = Self.touch(statement)
    sqlite3_reset(statement)
    return size
  }

  /// Reads all rows and touches every column. Returns their number and the last id.
  func scan(_ statement: OpaquePointer) -> (rows: Int, last: UserID?) {
    var rows = 0
    var last: UserID?
    while sqlite3_step(statement) == SQLITE_ROW {
      _ = Self.touch(statement)
      rows += 1
      last = UserID(bytes: UnsafeRawBufferPointer(start: sqlite3_column_blob(statement, 0), count: 16))
    }
    sqlite3_reset(statement)
    return (rows, last)
  }

  func insert(_ user: SampleUser, id: UserID, with statement: OpaquePointer) throws {
    var (email, name) = (user.email, user.name)
    let step = id.withUnsafeBytes { bytes in
      email.withUTF8 { email in
        name.withUTF8 { name in
          sqlite3_bind_blob(statement, 1, bytes.baseAddress, 16, nil)
          email.withMemoryRebound(to: CChar.self) { email in
            sqlite3_bind_text(statement, 2, email.baseAddress, Int32(email.count), nil)
            sqlite3_bind_text(statement, 3, email.baseAddress, Int32(email.count), nil)
          }
          name.withMemoryRebound(to: CChar.self) { name in
            _ = sqlite3_bind_text(statement, 4, name.baseAddress, Int32(name.count), nil)
          }
          sqlite3_bind_int64(statement, 5, 1)
          sqlite3_bind_int64(statement, 6, Self.createdAt.microsecondsSinceEpoch)
          return sqlite3_step(statement)
        }
      }
    }
    guard step == SQLITE_DONE else { throw failure }
    sqlite3_reset(statement)
  }

  /// When the loaded users were created.
  static let createdAt = Timestamp(microsecondsSinceEpoch: 1_700_000_000_000_000)

  static let insertSQL =
    "INSERT INTO users (id, email, email_key, name, status, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
  /// What a user in a response is made of: texts, then numbers.
  private static let columns =
    "id, email, name, labels, status, created_at, updated_at, deleted_at, purge_at"
  private static let texts: Range<Int32> = 0..<4
  private static let numbers: Range<Int32> = 4..<9

  static let readSQL = "SELECT \(columns) FROM users WHERE id = ?1"
  static let pageSQL = """
    SELECT \(columns) FROM users WHERE id > ?1 ORDER BY id LIMIT 1000
    """

  private static func touch(_ statement: OpaquePointer) -> Int {
    var size = 0
    for column in texts {
      if sqlite3_column_blob(statement, column) != nil {
        size += Int(sqlite3_column_bytes(statement, column))
      }
    }
    for column in numbers { size &+= Int(truncatingIfNeeded: sqlite3_column_int64(statement, column)) }
    return size
  }

  private var failure: Failure { Failure(description: String(cString: sqlite3_errmsg(connection))) }
}
