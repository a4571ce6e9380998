import Foundation
import GRDB
import GRDBSQLite
import UserStore

/// The files of one database: the main file, `-wal` and `-shm`. They are examined by path, only with stat(2).
///
/// Only SQLite opens and closes them in this process: closing any descriptor of a file drops all locks that the process
/// holds on it (sqlite.org/howtocorrupt.html §2.2).
struct DatabaseFiles: Sendable {
  /// The identity of the file at a path (stat(2)).
  private struct Identity: Equatable {
    let device: UInt64
    let inode: UInt64

    init(_ status: stat) {
      (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
    }
  }

  /// The main file's path, as the operator gave it.
  let path: String
  private let companions: [String]
  /// The main file and its companions while a connection has them open.
  private var opened: [(path: String, identity: Identity)] = []

  /// Creates the files of the database at `path`; none of them needs to exist.
  init(_ path: String) {
    self.path = path
    // SQLite names the companions after the target of a symbolic link.
    let file = Self.resolved(path)
    companions = [file + "-wal", file + "-shm"]
  }

  /// The path in a form that SQLite never takes for a URI or `:memory:` (sqlite.org/uri.html).
  var sqlitePath: String { path.hasPrefix("/") ? path : "./" + path }

  /// A URI for reading the file without locks, `-wal` and `-shm` (sqlite.org/uri.html#uriimmutable); nil if SQLite is
  /// compiled without `USE_URI`.
  var immutableURI: String? {
    guard sqlite3_compileoption_used("USE_URI") != 0 else { return nil }
    var permitted = CharacterSet.urlPathAllowed
    permitted.remove(charactersIn: "?#%")
    let file = Self.resolved(path).addingPercentEncoding(withAllowedCharacters: permitted)
    return file.map { "file:\($0)?immutable=1" }
  }

  /// Whether the write-ahead log may have commits.
  var hasLog: Bool { (Self.status(companions[0])?.st_size ?? 0) > 0 }

  /// Checks access to the main file, with the operating system's reason, which SQLite reports only as "unable to open".
  ///
  /// - Throws: `StoreError.inaccessible`; `.missing` unless `mayCreate`; `.strayLog` where SQLite would silently delete
  ///   a log.
  func check(mayCreate: Bool) throws(StoreError) {
    guard !path.isEmpty else { throw .inaccessible(path: "''", reason: "the database path is empty") }
    var status = stat()
    if stat(path, &status) == 0 {
      guard status.st_mode & S_IFMT == S_IFREG else {
        let kind = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "a device, pipe or socket"
        throw .inaccessible(path: path, reason: "is \(kind), not a database file")
      }
      if status.st_size == 0, hasLog { throw .strayLog(path: path) }
      return
    }
    guard errno == ENOENT else { throw .inaccessible(path: path, reason: String(cString: strerror(errno))) }
    guard mayCreate else { throw .missing(path: path) }
    if hasLog { throw .strayLog(path: path) }
  }

  /// Checks the main file, and creates a missing one with mode 0600, whatever the umask.
  ///
  /// - Throws: the errors of ``check(mayCreate:)``.
  func prepare(mayCreate: Bool) throws(StoreError) {
    try check(mayCreate: mayCreate)
    if mayCreate, Self.status(path) == nil { try create() }
  }

  private func create() throws(StoreError) {
    let flags = O_CREAT | O_RDWR | O_CLOEXEC
    // Opened exclusively: closing a file that SQLite has open would drop its locks.
    var descriptor = open(path, flags | O_EXCL, S_IRUSR | S_IWUSR)
    if descriptor < 0, errno == EEXIST {
      if Self.status(path) != nil { return }
      // A symbolic link whose target does not exist yet.
      descriptor = open(path, flags, S_IRUSR | S_IWUSR)
    }
    guard descriptor >= 0 else {
      throw .inaccessible(
        path: path, reason: "cannot create the database: \(String(cString: strerror(errno)))")
    }
    // The umask may have removed the owner's rights. A file system without modes has none to set.
    _ = fchmod(descriptor, S_IRUSR | S_IWUSR)
    close(descriptor)
  }

  // MARK: Modes

  /// The names of `-wal` and `-shm` that do not exist.
  var missingCompanions: [String] { companions.filter { Self.status($0) == nil } }

  /// Restricts files that were just created to their owner.
  ///
  /// SQLite gives them the main file's mode, which an operator may have copied from elsewhere.
  static func protect(_ created: [String]) {
    // A file that does not exist, or has another owner, stays unchanged.
    for file in created { _ = chmod(file, S_IRUSR | S_IWUSR) }
  }

  /// The existing files that their group or others may read or write.
  var exposed: [String] {
    ([path] + companions).filter { file in
      guard let mode = Self.status(file)?.st_mode else { return false }
      return mode & (S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH) != 0
    }
  }

  // MARK: Files that are open

  /// Records which files the paths lead to. A connection has just opened them.
  mutating func noteOpened() {
    opened = ([path] + companions).compactMap { file in
      Self.status(file).map { (file, Identity($0)) }
    }
  }

  /// The first path that no longer leads to the open file; nil if all do.
  ///
  /// Costs a few microseconds. Data written to a file without its path is lost when the process ends.
  var movedFile: String? {
    for (file, identity) in opened {
      var status = stat()
      if stat(file, &status) == 0 {
        if Identity(status) != identity { return file }
      } else if [ENOENT, ENOTDIR, ELOOP].contains(errno) {
        return file
      }
      // Any other failure says nothing about the path; SQLite will meet it too.
    }
    return nil
  }

  /// - Throws: `SQLITE_READONLY_DBMOVED` (sqlite.org/rescode.html) if a path no longer leads to the open file.
  func requireUnmoved() throws(DatabaseError) {
    guard let file = movedFile else { return }
    throw DatabaseError(
      resultCode: .SQLITE_READONLY_DBMOVED, message: "\(file) was deleted or replaced while it was open")
  }

  // MARK: Paths

  private static func status(_ path: String) -> stat? {
    var status = stat()
    return stat(path, &status) == 0 ? status : nil
  }

  /// Returns the path without symbolic links, as far as it exists.
  static func resolved(_ path: String) -> String {
    if let file = realpath(path) { return file }
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    guard let folder = realpath(folder) else { return path }
    return folder == "/" ? "/" + name : "\(folder)/\(name)"
  }

  private static func realpath(_ path: String) -> String? {
    guard let buffer = Foundation.realpath(path, nil) else { return nil }
    defer { free(buffer) }
    return String(cString: buffer)
  }
}
