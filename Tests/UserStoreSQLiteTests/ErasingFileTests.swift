import GRDB
import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStoreSQLite

@Suite(.tags(.io)) struct ErasingFileTests {
  /// Returns a page of 512 bytes with these cells, full of traces.
  private func page(type: UInt8, cells: [Int], content: Int, header: Int = 0) -> [UInt8] {
    var page = [UInt8](repeating: 0xee, count: 512)
    page[header] = type
    (page[header + 3], page[header + 4]) = (UInt8(cells.count >> 8), UInt8(cells.count & 0xff))
    (page[header + 5], page[header + 6]) = (UInt8(content >> 8), UInt8(content & 0xff))
    let start = header + (type == 2 || type == 5 ? 12 : 8)
    for (index, cell) in cells.enumerated() {
      (page[start + 2 * index], page[start + 2 * index + 1]) = (UInt8(cell >> 8), UInt8(cell & 0xff))
    }
    return page
  }

  private func unallocated(_ page: [UInt8], isFirst: Bool = false) -> Range<Int>? {
    page.withUnsafeBytes { BTreePage.unallocated(in: $0, isFirst: isFirst) }
  }

  @Test("the unallocated space of a page is between the pointers to its cells and the cells")
  func pages() {
    #expect(unallocated(page(type: 10, cells: [400, 450], content: 400)) == 12..<400)
    #expect(unallocated(page(type: 13, cells: [], content: 512)) == 8..<512)
    #expect(unallocated(page(type: 2, cells: [500], content: 480)) == 14..<480)
    #expect(unallocated(page(type: 5, cells: [300], content: 300, header: 100), isFirst: true) == 114..<300)
  }

  @Test("what is not a page of a B-tree is left alone")
  func others() {
    #expect(unallocated(page(type: 0, cells: [], content: 512)) == nil)
    #expect(unallocated(page(type: 1, cells: [], content: 512)) == nil)
    // A cell outside the content, as where another kind of page begins alike.
    #expect(unallocated(page(type: 10, cells: [300], content: 400)) == nil)
    #expect(unallocated(page(type: 10, cells: [600], content: 400)) == nil)
    #expect(unallocated(page(type: 10, cells: [], content: 600)) == nil)
    #expect(unallocated(page(type: 10, cells: [Int](repeating: 500, count: 250), content: 400)) == nil)
    #expect(unallocated([UInt8](page(type: 10, cells: [], content: 500).prefix(500))) == nil)
  }

  @Test(
    "files with pointer maps, and those so large that page numbers look like types of pages, are left alone")
  func headers() {
    func isPlain(autoVacuum: UInt8, pages: UInt8) -> Bool {
      var header = Array("SQLite format 3\0".utf8) + [UInt8](repeating: 0, count: 84)
      header[55] = autoVacuum
      header[28] = pages
      return header.withUnsafeBytes { DatabaseHeader.hasPlainPages($0) }
    }
    #expect(isPlain(autoVacuum: 0, pages: 1))
    #expect(!isPlain(autoVacuum: 9, pages: 1))
    #expect(!isPlain(autoVacuum: 0, pages: 2))
    #expect([UInt8](repeating: 0, count: 100).withUnsafeBytes { !DatabaseHeader.hasPlainPages($0) })
  }

  @Test("a database stays sound, with pointer maps too", arguments: [0, 1, 2])
  func sound(autoVacuum: Int) async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path("users.db")
    let other = try OtherConnection(path)
    try await other.execute("PRAGMA auto_vacuum = \(autoVacuum); VACUUM")
    try other.close()
    try SQLiteMigrator(path: path).up()
    let repository = try SQLiteUserRepository(.file(path))
    var users: [User] = []
    for round in 0..<6 {
      let new = (0..<1_000).map { NewUser.sample(1_000 * round + $0) }
      users += try await repository.create(new).map { try $0.get() }
      users.shuffle()
      for user in users.suffix(300) { _ = try await repository.delete(user.id, .expunge, UserWrite()) }
      users.removeLast(300)
    }
    try await repository.close()
    let checking = try OtherConnection(path)
    #expect(try await checking.firstInteger("PRAGMA auto_vacuum") == autoVacuum)
    #expect(
      try await checking.firstInteger(
        "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'") == 1)
    #expect(try await checking.firstInteger("SELECT count(*) FROM users") == users.count)
    try checking.close()
  }
}
