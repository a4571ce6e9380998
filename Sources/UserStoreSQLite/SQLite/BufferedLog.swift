import GRDBSQLite

/// A buffer between SQLite and the write-ahead log of a connection, so that a commit takes few system calls: SQLite writes
/// each page by itself, as 24 bytes and 4,096.
///
/// It stands in for the methods of the log's file (sqlite.org/c3ref/io_methods.html). Only a write that continues the
/// previous one is buffered, and only until the last page of its commit is written: so the log has a commit before SQLite
/// syncs it, and before any other connection looks for it. Everything else that SQLite does with the log comes after the
/// bytes in the buffer.
///
/// A rollback drops the buffer. SQLite may release its write lock then without another call: what the buffer has would
/// later overwrite the commits of other connections, which are in the same place of the log.
///
/// Its thread is the connection's, whose handle owns it.
struct BufferedLog {
  /// The size of the buffer in bytes: that of SQLite's largest page. Its methods of a file take less than 128 KiB at once.
  private static let capacity = 64 * 1_024
  /// The size in bytes of what precedes a page. Its bytes 4 to 7 are zero, except in the last page of a commit
  /// (sqlite.org/fileformat.html#the_write_ahead_log).
  private static let frameHeaderSize = 24

  /// The methods that SQLite calls. They come first, because SQLite has the pointer to them for one to the file's methods.
  private var methods: sqlite3_io_methods
  /// The methods of the file itself.
  private let file: UnsafePointer<sqlite3_io_methods>
  private let buffer = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
  /// The number of bytes in the buffer, and where in the file they belong.
  private var count = 0
  private var start: sqlite3_int64 = 0
  /// Where the last write ended.
  private var end: sqlite3_int64 = -1
  /// Whether the next write is the last page of a commit.
  private var commits = false

  /// Buffers the log of `connection`, which must be open, unless that is done already. Takes the connection's hook for
  /// rollbacks.
  static func install(on connection: OpaquePointer) {
    precondition(MemoryLayout<BufferedLog>.offset(of: \.methods) == 0)
    guard let log = logFile(of: connection), let methods = log.pointee.pMethods, !isInstalled(methods)
    else { return }
    sqlite3_rollback_hook(
      connection, { BufferedLog.rolledBack(OpaquePointer($0!)) }, UnsafeMutableRawPointer(connection))
    let buffered = UnsafeMutablePointer<BufferedLog>.allocate(capacity: 1)
    buffered.initialize(to: BufferedLog(over: methods))
    log.pointee.pMethods = UnsafeRawPointer(buffered).assumingMemoryBound(to: sqlite3_io_methods.self)
  }

  private init(over file: UnsafePointer<sqlite3_io_methods>) {
    self.file = file
    methods = file.pointee
    // Later versions have methods that the copy lacks.
    methods.iVersion = min(methods.iVersion, 3)
    methods.xClose = { Self.close($0) }
    methods.xWrite = Self.write
    methods.xRead = { file, bytes, count, offset in
      Self.afterBuffer(of: file) { $0.xRead(file, bytes, count, offset) }
    }
    methods.xTruncate = { file, size in Self.afterBuffer(of: file) { $0.xTruncate(file, size) } }
    methods.xSync = { file, flags in Self.afterBuffer(of: file) { $0.xSync(file, flags) } }
    methods.xFileSize = { file, size in Self.afterBuffer(of: file) { $0.xFileSize(file, size) } }
  }

  /// Whether the log of `connection` is buffered.
  static func isInstalled(on connection: OpaquePointer) -> Bool {
    logFile(of: connection)?.pointee.pMethods.map(isInstalled) ?? false
  }

  /// The file of the connection's log, or of its rollback journal.
  private static func logFile(of connection: OpaquePointer) -> File? {
    var log: File?
    let code = sqlite3_file_control(connection, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log)
    return code == SQLITE_OK ? log : nil
  }

  /// Drops the buffer: nothing in it is committed.
  private static func rolledBack(_ connection: OpaquePointer) {
    // The log may have been closed and opened again, without a buffer.
    guard let file = logFile(of: connection), let methods = file.pointee.pMethods, isInstalled(methods)
    else { return }
    log(of: file).pointee.drop()
  }

  // MARK: The methods

  private typealias File = UnsafeMutablePointer<sqlite3_file>

  private static let write: @convention(c) (File?, UnsafeRawPointer?, Int32, sqlite3_int64) -> Int32 = {
    file, bytes, count, offset in
    guard let file, let bytes else { return SQLITE_MISUSE }
    return log(of: file).pointee.write(
      UnsafeRawBufferPointer(start: bytes, count: Int(count)), to: file, at: offset)
  }

  /// Calls a method of the file itself once the buffer is written.
  private static func afterBuffer(of file: File?, _ method: (sqlite3_io_methods) -> Int32) -> Int32 {
    guard let file else { return SQLITE_MISUSE }
    let log = log(of: file)
    let code = log.pointee.writeBuffer(to: file)
    return code == SQLITE_OK ? method(log.pointee.file.pointee) : code
  }

  /// Drops the buffer, which has no commit, and closes the file.
  private static func close(_ file: File?) -> Int32 {
    guard let file else { return SQLITE_MISUSE }
    let log = log(of: file)
    let methods = log.pointee.file
    log.pointee.buffer.deallocate()
    log.deinitialize(count: 1).deallocate()
    file.pointee.pMethods = methods
    return methods.pointee.xClose(file)
  }

  private static func log(of file: File) -> UnsafeMutablePointer<BufferedLog> {
    UnsafeMutableRawPointer(mutating: UnsafeRawPointer(file.pointee.pMethods))
      .assumingMemoryBound(to: BufferedLog.self)
  }

  private static func isInstalled(_ methods: UnsafePointer<sqlite3_io_methods>) -> Bool {
    unsafeBitCast(methods.pointee.xWrite, to: UnsafeRawPointer?.self)
      == unsafeBitCast(write, to: UnsafeRawPointer.self)
  }

  // MARK: The buffer

  private mutating func write(
    _ bytes: UnsafeRawBufferPointer, to file: File, at offset: sqlite3_int64
  ) -> Int32 {
    let (continues, isLastPage) = (offset == end, commits)
    end = offset + sqlite3_int64(bytes.count)
    commits =
      bytes.count == Self.frameHeaderSize && bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self) != 0
    if !continues || count + bytes.count > Self.capacity {
      let code = writeBuffer(to: file)
      if code != SQLITE_OK { return code }
    }
    guard continues, bytes.count <= Self.capacity, let source = bytes.baseAddress else {
      return self.file.pointee.xWrite(file, bytes.baseAddress, Int32(bytes.count), offset)
    }
    if count == 0 { start = offset }
    (buffer + count).copyMemory(from: source, byteCount: bytes.count)
    count += bytes.count
    return isLastPage ? writeBuffer(to: file) : SQLITE_OK
  }

  private mutating func drop() { (count, end, commits) = (0, -1, false) }

  /// Writes the buffer to the file and empties it. After a failure SQLite rolls back, and writes all of it again later.
  private mutating func writeBuffer(to file: File) -> Int32 {
    if count == 0 { return SQLITE_OK }
    defer { count = 0 }
    return self.file.pointee.xWrite(file, buffer, Int32(count), start)
  }
}
