import GRDB
import UserDomain
import UserStore

extension StorageFault {
  /// Creates the fault by SQLite's result code (sqlite.org/rescode.html), never by its message.
  init(_ error: DatabaseError) {
    let kind: Kind =
      switch error.extendedResultCode {
      case .SQLITE_READONLY_DBMOVED: .moved
      // The shared-memory file cannot grow. SQLite drops the cause; in practice the disk is full.
      case .SQLITE_IOERR_SHMSIZE: .full
      default: Kind(error.resultCode)
      }
    self.init(
      kind: kind, resultCode: error.extendedResultCode.rawValue,
      message: error.message ?? error.extendedResultCode.description)
  }
}

extension StorageFault.Kind {
  fileprivate init(_ primary: ResultCode) {
    self =
      switch primary {
      case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_PROTOCOL: .busy
      case .SQLITE_FULL: .full
      case .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH: .readOnly
      case .SQLITE_CORRUPT, .SQLITE_NOTADB: .corrupt
      case .SQLITE_IOERR: .inputOutput
      case .SQLITE_SCHEMA: .notMigrated
      default: .unexpected
      }
  }
}

extension StoreError {
  /// Creates the error of a failed use of the database at `location`.
  init(_ error: any Error, at location: DatabaseLocation) {
    switch error {
    case let error as StoreError:
      self = error
    case let error as DatabaseError where error.resultCode == .SQLITE_NOTADB:
      self = .notSQLite(path: location.description)
    case let error as DatabaseError:
      self = .storage(path: location.description, StorageFault(error))
    default:
      self = .inaccessible(path: location.description, reason: "\(error)")
    }
  }
}
