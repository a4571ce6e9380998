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
  /// In larger files, pages that are not B-tree pages may begin like one: with the number of a page of 2^25 or more.
  private static let largestOffset = sqlite3_int64(1 << 25) * 512

  /// The methods that SQLite calls. They come first, because SQLite has the pointer to them for one to the file's methods.
  private var methods: sqlite3_io_methods
  /// The methods of the file itself.
  private let file: UnsafePointer<sqlite3_io_methods>
  private let page = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)

  private typealias File = UnsafeMutablePointer<sqlite3_file>

  /// Makes the checkpoints of `connection`, which must be open, erase unallocated space, unless that is done already.
  static func install(on connection: OpaquePointer) {
    precondition(MemoryLayout<ErasingFile>.offset(of: \.methods) == 0)
    var file: File?
    guard sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK, let file,
      let methods = file.pointee.pMethods, !isInstalled(methods)
    else { return }
    let erasing = UnsafeMutablePointer<ErasingFile>.allocate(capacity: 1)
    erasing.initialize(to: ErasingFile(over: methods))
    file.pointee.pMethods = UnsafeRawPointer(erasing).assumingMemoryBound(to: sqlite3_io_methods.self)
  }

  private init(over file: UnsafePointer<sqlite3_io_methods>) {
    self.file = file
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

  private func write(_ bytes: UnsafeRawBufferPointer, to file: File, at offset: sqlite3_int64) -> Int32 {
    let write = self.file.pointee.xWrite!
    guard let source = bytes.baseAddress, bytes.count <= Self.capacity, offset < Self.largestOffset,
      let unallocated = BTreePage.unallocated(in: bytes, isFirst: offset == 0), !unallocated.isEmpty
    else { return write(file, bytes.baseAddress, Int32(bytes.count), offset) }
    page.copyMemory(from: source, byteCount: bytes.count)
    (page + unallocated.lowerBound).initializeMemory(as: UInt8.self, repeating: 0, count: unallocated.count)
    return write(file, page, Int32(bytes.count), offset)
  }
}

/// The layout of a page of a B-tree (sqlite.org/fileformat.html#b_tree_pages).
enum BTreePage {
  /// The size in bytes of what precedes the first page's B-tree: the header of the file.
  private static let fileHeaderSize = 100

  /// Returns where a page has its unallocated space, between the pointers to its cells and the cells; nil for bytes that
  /// are not a whole page of a B-tree.
  static func unallocated(in page: UnsafeRawBufferPointer, isFirst: Bool) -> Range<Int>? {
    let header = isFirst ? fileHeaderSize : 0
    guard page.count >= 512, page.count & (page.count - 1) == 0 else { return nil }
    let headerSize: Int
    switch page[header] {
    case 2, 5: headerSize = 12
    case 10, 13: headerSize = 8
    default: return nil
    }
    func number(at offset: Int) -> Int { Int(page[header + offset]) << 8 | Int(page[header + offset + 1]) }
    let start = header + headerSize + 2 * number(at: 3)
    // 0 stands for 65,536.
    let content = number(at: 5) == 0 ? 65_536 : number(at: 5)
    return start <= content && content <= page.count ? start..<content : nil
  }
}
