import Foundation
import GRDBSQLite
import UserDomain

/// The yardstick's work.
extension RawDatabase {
  /// Creates users in `folder`, in a database of their own.
  static func create(_ count: Int, rowsPerTransaction: Int, in folder: URL) async throws -> Meter {
    let users = (0..<count).map(SampleUser.init)
    return try await insert(
      users, rowsPerTransaction: rowsPerTransaction,
      into: folder.appendingPathComponent("raw-\(UUID()).db").path)
  }

  /// Loads users into `path`, 1,000 per transaction.
  static func load(_ count: Int, into path: String) async throws -> Meter {
    try await insert((0..<count).map(SampleUser.init), rowsPerTransaction: 1_000, into: path)
  }

  /// Returns a count that every transaction of `path` raises by one: `iChange` of the WAL index
  /// (sqlite.org/walformat.html). This process must not have the database open, because closing the file would end its
  /// locks.
  static func transactions(_ path: String) throws -> UInt32 {
    let index = try FileHandle(forReadingFrom: URL(fileURLWithPath: path + "-shm"))
    defer { index.closeFile() }
    guard let header = try index.read(upToCount: 12), header.count == 12 else {
      throw Failure(description: "\(path) has no WAL index")
    }
    return header.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 8, as: UInt32.self) }
  }

  /// Returns the id of the n-th loaded user.
  static func id(_ number: Int) -> UserID { UserID(high: UInt64(number), low: 1 << 63) }

  private static func insert(
    _ users: [SampleUser], rowsPerTransaction: Int, into path: String
  ) async throws -> Meter {
    let database = try RawDatabase(path)
    let statement = try database.prepare(RawDatabase.insertSQL)
    defer { sqlite3_finalize(statement) }
    return try await Meter {
      for start in stride(from: 0, to: users.count, by: rowsPerTransaction) {
        try database.execute("BEGIN IMMEDIATE")
        for number in start..<min(start + rowsPerTransaction, users.count) {
          try database.insert(users[number], id: id(number), with: statement)
        }
        try database.execute("COMMIT")
      }
    }
  }

  /// Reads all users of `path` in pages of 1,000, `times` times.
  static func scanAll(_ path: String, times: Int = 1) async throws -> Meter {
    let database = try RawDatabase(path)
    let statement = try database.prepare(RawDatabase.pageSQL)
    defer { sqlite3_finalize(statement) }
    return await Meter {
      for _ in 0..<times {
        var position: UserID?
        repeat {
          if let position {
            // SQLITE_TRANSIENT is required: the bytes do not outlive the closure.
            _ = position.withUnsafeBytes {
              sqlite3_bind_blob(
                statement, 1, $0.baseAddress, 16, unsafeBitCast(-1, to: sqlite3_destructor_type.self))
            }
          } else {
            sqlite3_bind_zeroblob(statement, 1, 0)
          }
          position = database.scan(statement).last
        } while position != nil
      }
    }
  }
}
