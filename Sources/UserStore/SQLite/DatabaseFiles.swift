import Foundation
import GRDB
import GRDBSQLite

/// The files of one database: the main file, `-wal` and `-shm`. They are looked at by path, with stat(2) only.
///
/// Nothing in this process opens and closes them but SQLite: any close(2) of a file drops all locks that the process
/// holds on it (sqlite.org/howtocorrupt.html §2.2).
struct DatabaseFiles: Sendable {
  /// Which file a path leads to (stat(2)).
  private struct Identity: Equatable {
    let device: UInt64
    let inode: UInt64

    init(_ status: stat) {
      (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
    }
  }

  /// The main file, as the operator has named it.
  let path: String
  private let companions: [String]
  /// The main file and its companions while a connection has them open.
  private var opened: [(path: String, identity: Identity)] = []

  /// The files of the database at `path`; none of them needs to exist.
  init(_ path: String) {
    self.path = path
    // SQLite names them after the file that a symbolic link leads to.
    let file = Self.resolved(path)
    companions = [file + "-wal", file + "-shm"]
  }

  /// The path as SQLite takes it: never a URI nor `:memory:`, whatever the file is called (sqlite.org/uri.html).
  var sqlitePath: String { path.hasPrefix("/") ? path : "./" + path }

  /// A URI of the file for reading it without locks, -wal and -shm (sqlite.org/uri.html#uriimmutable); nil where
  /// SQLite is compiled without `USE_URI`.
  var immutableURI: String? {
    guard sqlite3_compileoption_used("USE_URI") != 0 else { return nil }
    var permitted = CharacterSet.urlPathAllowed
    permitted.remove(charactersIn: "?#%")
    let file = Self.resolved(path).addingPercentEncoding(withAllowedCharacters: permitted)
    return file.map { "file:\($0)?immutable=1" }
  }

  /// Whether commits may wait in the write-ahead log.
  var hasLog: Bool { (Self.status(companions[0])?.st_size ?? 0) > 0 }

  /// Says what the operating system has against the main file, which SQLite only calls "unable to open".
  ///
  /// - Throws: `StoreError.inaccessible`; `.missing` unless `mayCreate`; `.strayLog` where SQLite would delete a log
  ///   without a word.
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

  /// Checks the main file, and creates it if it is missing, of mode 0600 whatever the umask is.
  ///
  /// - Throws: what ``check(mayCreate:)`` throws.
  func prepare(mayCreate: Bool) throws(StoreError) {
    try check(mayCreate: mayCreate)
    if mayCreate, Self.status(path) == nil { try create() }
  }

  private func create() throws(StoreError) {
    let flags = O_CREAT | O_RDWR | O_CLOEXEC
    // Exclusively, so that no file is closed here that SQLite has open already.
    var descriptor = open(path, flags | O_EXCL, S_IRUSR | S_IWUSR)
    if descriptor < 0, errno == EEXIST {
      if Self.status(path) != nil { return }
      // A symbolic link that leads to no file yet.
      descriptor = open(path, flags, S_IRUSR | S_IWUSR)
    }
    guard descriptor >= 0 else {
      throw .inaccessible(
        path: path, reason: "cannot create the database: \(String(cString: strerror(errno)))")
    }
    // The umask may have taken away what the owner needs. A file system without modes has none to set.
    _ = fchmod(descriptor, S_IRUSR | S_IWUSR)
    close(descriptor)
  }

  // MARK: Modes

  /// Those of `-wal` and `-shm` that do not exist.
  var missingCompanions: [String] { companions.filter { Self.status($0) == nil } }

  /// Lets only the owner read and write files that were created a moment ago.
  ///
  /// SQLite gives them the main file's mode, which may be one that an operator has copied.
  static func protect(_ created: [String]) {
    // One that was not created after all, or is another owner's, stays as it is.
    for file in created { _ = chmod(file, S_IRUSR | S_IWUSR) }
  }

  /// The files that exist and that their group or others may read or write.
  var exposed: [String] {
    ([path] + companions).filter { file in
      guard let mode = Self.status(file)?.st_mode else { return false }
      return mode & (S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH) != 0
    }
  }

  // MARK: Files that are open

  /// Takes note of the files that the paths lead to, which a connection has just opened.
  mutating func noteOpened() {
    opened = ([path] + companions).compactMap { file in
      Self.status(file).map { (file, Identity($0)) }
    }
  }

  /// The first path that leads to another file than the open one, or to none; nil if all lead where they did.
  ///
  /// Costs a few microseconds. What is written to a file without its path is lost when the process ends.
  var movedFile: String? {
    for (file, identity) in opened {
      var status = stat()
      if stat(file, &status) == 0 {
        if Identity(status) != identity { return file }
      } else if [ENOENT, ENOTDIR, ELOOP].contains(errno) {
        return file
      }
      // Any other failure says nothing about the path; SQLite meets it too.
    }
    return nil
  }

  /// - Throws: `SQLITE_READONLY_DBMOVED` (sqlite.org/rescode.html) if a path leads elsewhere than to the open file.
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

  /// The path without symbolic links, as far as it leads anywhere.
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
