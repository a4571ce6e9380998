import GRDBSQLite

/// Stands between SQLite and a connection's database file, and erases what pages have in their unallocated space before
/// they are written.
///
/// `secure_delete` overwrites deleted rows with zeros. But when SQLite divides a page's rows between two pages, it leaves
/// traces of the moved rows in the first one's unallocated space, where later deletions do not find them. Pages reach the
/// file only by checkpoints, and unallocated space has no meaning (sqlite.org/fileformat.html#b_tree_pages). So what is
/// erased on the way there need not be found later.
///
/// It stands in for the methods of the file (sqlite.org/c3ref/io_methods.html), as ``BufferedLog`` does. Its thread is the
/// connection's, whose handle owns it.
struct ErasingFile {
  /// The largest page.
  private static let capacity = 65_536

  /// The methods that SQLite calls. They come first, because SQLite has the pointer to them for one to the file's methods.
  private var methods: sqlite3_io_methods
  /// The methods of the file itself.
  private let file: UnsafePointer<sqlite3_io_methods>
  private let page = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
  /// Whether pages that look like those of a B-tree are such pages, as the file's first page says.
  private var isErasing: Bool

  private typealias File = UnsafeMutablePointer<sqlite3_file>

  /// Makes the checkpoints of `connection`, which must be open, erase unallocated space, unless that is done already.
  static func install(on connection: OpaquePointer) {
    precondition(MemoryLayout<ErasingFile>.offset(of: \.methods) == 0)
    var file: File?
    guard sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK, let file,
      let methods = file.pointee.pMethods, !isInstalled(methods)
    else { return }
    var header = [UInt8](repeating: 0, count: DatabaseHeader.size)
    // A failure to read leaves zeros, which are not a header.
    _ = methods.pointee.xRead(file, &header, Int32(header.count), 0)
    let erasing = UnsafeMutablePointer<ErasingFile>.allocate(capacity: 1)
    erasing.initialize(
      to: ErasingFile(over: methods, isErasing: header.withUnsafeBytes { DatabaseHeader.hasPlainPages($0) }))
    file.pointee.pMethods = UnsafeRawPointer(erasing).assumingMemoryBound(to: sqlite3_io_methods.self)
  }

  private init(over file: UnsafePointer<sqlite3_io_methods>, isErasing: Bool) {
    self.file = file
    self.isErasing = isErasing
    methods = file.pointee
    // Later versions have methods that the copy lacks.
    methods.iVersion = min(methods.iVersion, 3)
    methods.xClose = { Self.close($0) }
    methods.xWrite = Self.write
  }

  private static func isInstalled(_ methods: UnsafePointer<sqlite3_io_methods>) -> Bool {
    unsafeBitCast(methods.pointee.xWrite, to: UnsafeRawPointer?.self)
      == unsafeBitCast(write, to: UnsafeRawPointer.self)
  }

  private static let write: @convention(c) (File?, UnsafeRawPointer?, Int32, sqlite3_int64) -> Int32 = {
    file, bytes, count, offset in
    guard let file, let bytes else { return SQLITE_MISUSE }
    return erasing(file).pointee.write(
      UnsafeRawBufferPointer(start: bytes, count: Int(count)), to: file, at: offset)
  }

  private static func close(_ file: File?) -> Int32 {
    guard let file else { return SQLITE_MISUSE }
    let erasing = erasing(file)
    let methods = erasing.pointee.file
    erasing.pointee.page.deallocate()
    erasing.deinitialize(count: 1).deallocate()
    file.pointee.pMethods = methods
    return methods.pointee.xClose(file)
  }

  private static func erasing(_ file: File) -> UnsafeMutablePointer<ErasingFile> {
    UnsafeMutableRawPointer(mutating: UnsafeRawPointer(file.pointee.pMethods))
      .assumingMemoryBound(to: ErasingFile.self)
  }

  private mutating func write(
    _ bytes: UnsafeRawBufferPointer, to file: File, at offset: sqlite3_int64
  ) -> Int32 {
    let write = self.file.pointee.xWrite!
    // A page may have been moved by VACUUM, which may also change what kinds of pages there are.
    if offset == 0 { isErasing = DatabaseHeader.hasPlainPages(bytes) }
    guard isErasing, let source = bytes.baseAddress, bytes.count <= Self.capacity,
      let unallocated = BTreePage.unallocated(in: bytes, isFirst: offset == 0), !unallocated.isEmpty
    else { return write(file, bytes.baseAddress, Int32(bytes.count), offset) }
    page.copyMemory(from: source, byteCount: bytes.count)
    (page + unallocated.lowerBound).initializeMemory(as: UInt8.self, repeating: 0, count: unallocated.count)
    return write(file, page, Int32(bytes.count), offset)
  }
}

/// The header of a database file (sqlite.org/fileformat.html#the_database_header).
enum DatabaseHeader {
  /// The size in bytes.
  static let size = 100
  /// The number of pages from which one that is not of a B-tree may begin like one: with the number of another page.
  private static let mostPages = 1 << 25

  /// Returns whether a page that begins like one of a B-tree is one: there are no pointer maps, as `auto_vacuum` makes, and
  /// few enough pages.
  static func hasPlainPages(_ header: UnsafeRawBufferPointer) -> Bool {
    guard header.count >= size, header.starts(with: "SQLite format 3\0".utf8) else { return false }
    func number(at offset: Int) -> UInt32 {
      UInt32(bigEndian: header.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    return number(at: 52) == 0 && number(at: 28) < mostPages
  }
}

/// The layout of a page of a B-tree (sqlite.org/fileformat.html#b_tree_pages).
enum BTreePage {
  /// Returns where a page has its unallocated space, between the pointers to its cells and the cells; nil for bytes that
  /// are not a whole page of a B-tree.
  static func unallocated(in page: UnsafeRawBufferPointer, isFirst: Bool) -> Range<Int>? {
    let header = isFirst ? DatabaseHeader.size : 0
    guard page.count >= 512, page.count & (page.count - 1) == 0 else { return nil }
    let headerSize: Int
    switch page[header] {
    case 2, 5: headerSize = 12
    case 10, 13: headerSize = 8
    default: return nil
    }
    func number(at offset: Int) -> Int { Int(page[offset]) << 8 | Int(page[offset + 1]) }
    let cells = number(at: header + 3)
    let pointers = header + headerSize
    // 0 stands for 65,536.
    let content = number(at: header + 5) == 0 ? 65_536 : number(at: header + 5)
    let start = pointers + 2 * cells
    guard start <= content, content <= page.count else { return nil }
    for cell in 0..<cells where !(content..<page.count).contains(number(at: pointers + 2 * cell)) {
      return nil
    }
    return start..<content
  }
}
