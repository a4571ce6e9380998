import Foundation
import TestSupport
import Testing

@testable import TokenSigning

@Suite struct KeyFileTests {
  private let directory: TemporaryDirectory
  private let file: KeyFile
  private let start = Date(timeIntervalSince1970: 1_764_000_000)

  init() throws {
    directory = try TemporaryDirectory()
    file = KeyFile(path: directory.path("users.db.keys"))
  }

  private func permissions() throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
  }

  @Test("a key file is created once, private to its owner, and read back")
  func create() throws {
    #expect(try file.read() == nil)
    let ring = try file.openOrCreate(now: start)
    #expect(try permissions() == 0o600)
    #expect(ring.keys.count == 1)
    #expect(try file.openOrCreate() == ring)
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path) == ["users.db.keys"])
  }

  @Test("concurrent creators of the file all get the same keys")
  func race() async throws {
    let rings = try await withThrowingTaskGroup(of: KeyRing.self) { group in
      for _ in 0..<16 { group.addTask { [file] in try file.openOrCreate() } }
      return try await group.reduce(into: Set()) { $0.insert($1) }
    }
    #expect(rings.count == 1)
  }

  @Test("after a rotation the new key signs, and the old ones stay valid for the overlap")
  func rotate() throws {
    let first = try #require(try file.openOrCreate(now: start).signer)
    let ring = try file.rotate(overlap: .seconds(100), now: start)
    let second = try #require(ring.signer)
    #expect(second.kid != first.kid)
    #expect(ring.live(at: start.addingTimeInterval(99)).map(\.kid) == [first.kid, second.kid])
    #expect(ring.live(at: start.addingTimeInterval(100)).map(\.kid) == [second.kid])
    #expect(try file.read() == ring)
    #expect(try permissions() == 0o600)
    // A longer overlap does not extend an older key's time; a shorter one shortens it for all keys.
    let later = try file.rotate(overlap: .seconds(1_000), now: start)
    #expect(later.live(at: start.addingTimeInterval(100)).count == 2)
    #expect(try file.rotate(overlap: .zero, now: start).live(at: start).count == 1)
    // The next rotation removes expired keys from the file.
    #expect(try file.rotate(overlap: .zero, now: start.addingTimeInterval(1)).keys.count == 2)
  }

  @Test("without a file a rotation fails")
  func nothingToRotate() {
    #expect(throws: KeyFailure(file.path, "no such key file; 'user-service serve' creates it")) {
      try file.rotate(overlap: .zero)
    }
  }

  @Test("a file that others can use is refused", arguments: [0o620, 0o604, 0o660, 0o777])
  func exposed(mode: Int) throws {
    _ = try file.openOrCreate()
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
    let failure = #expect(throws: KeyFailure.self) { try file.read() }
    #expect(failure?.description.contains("chmod 600 \(file.path)") == true)
  }

  @Test("a group of the process may read the file, even after a rotation")
  func group() throws {
    _ = try file.openOrCreate()
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: file.path)
    #expect(try file.read() != nil)
    _ = try file.rotate(overlap: .zero)
    #expect(try permissions() == 0o640)
  }

  @Test("behind links, as Kubernetes mounts secrets, the file itself is checked and replaced")
  func links() throws {
    let folder = directory.path("..2026")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(
      atPath: directory.path("..data"), withDestinationPath: "..2026")
    try FileManager.default.createSymbolicLink(atPath: file.path, withDestinationPath: "..data/keys")
    let made = try file.openOrCreate()
    #expect(try KeyFile(path: folder + "/keys").read() == made)
    let rotated = try file.rotate(overlap: .zero)
    #expect(try KeyFile(path: folder + "/keys").read() == rotated)
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: file.path) == "..data/keys")
    // A link itself always has mode 0777.
    #expect(try file.read() == rotated)
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: folder + "/keys")
    #expect(throws: KeyFailure.self) { try file.read() }
  }

  @Test("a key is valid exactly for its overlap, whatever the clock showed at its retirement")
  func clockAhead() throws {
    let year = 365 * 86_400.0
    let first = try #require(try file.openOrCreate(now: start).signer)
    // The clock is a year ahead, and set back later.
    let ring = try file.rotate(overlap: .seconds(100), now: start.addingTimeInterval(year))
    let retired = try #require(ring.keys.first { $0.kid == first.kid })
    #expect(ring.remainingTrust(in: retired, at: start) == .seconds(100))
    let again = try file.rotate(overlap: .seconds(1_000), now: start)
    let end = try #require(again.keys.first { $0.kid == first.kid }?.retiresAt)
    #expect(end == start.addingTimeInterval(100))
    let leaked = try file.rotate(overlap: .zero, now: start.addingTimeInterval(year))
    #expect(leaked.live(at: start).map(\.kid) == [leaked.signer?.kid])
  }

  @Test("a key without a time of retirement gets it from the next key")
  func olderFile() throws {
    let year = 365 * 86_400.0
    _ = try file.openOrCreate(now: start)
    let ring = try file.rotate(overlap: .zero, now: start.addingTimeInterval(year))
    let text = try String(contentsOfFile: file.path, encoding: .utf8).replacing(
      /"retired_at" : "[^"]*",\s*/, with: "")
    #expect(!text.contains("retired_at"))
    let older = try file.ring(Data(text.utf8))
    #expect(older.live(at: start).map(\.kid) == [ring.signer?.kid])
  }

  @Test("a damaged or edited file is refused, without revealing its content")
  func damaged() throws {
    let ring = try file.openOrCreate()
    let text = try String(contentsOfFile: file.path, encoding: .utf8)
    let other = KeyRing(now: start).keys[0]
    for damage in [
      "", "{}", #"{"keys": []}"#, String(text.dropLast(20)), text.replacing(ring.keys[0].x, with: other.x),
      text.replacing(ring.keys[0].d, with: "AAAA"),
      text.replacing(ring.keys[0].kid, with: "../../etc/passwd"),
      text.replacing("Ed25519", with: "P-256"),
    ] {
      try Data(damage.utf8).write(to: URL(fileURLWithPath: file.path))
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
      let failure = #expect(throws: KeyFailure.self) { try file.read() }
      #expect(failure?.description.contains(ring.keys[0].d) == false)
    }
  }

  @Test("a key prints only its id")
  func secrecy() throws {
    let ring = try file.openOrCreate()
    var dumped = "\(ring) \(String(reflecting: ring))"
    dump(ring, to: &dumped)
    #expect(!dumped.contains(ring.keys[0].d))
  }

  @Test("a file that cannot be replaced stays unchanged, and the failure is one clear line")
  func notReplaceable() throws {
    // The name has 252 bytes. The new file's longer name exceeds the maximum (NAME_MAX).
    let file = KeyFile(path: directory.path(String(repeating: "k", count: 252)))
    let ring = try self.file.openOrCreate(now: start)
    try FileManager.default.moveItem(atPath: self.file.path, toPath: file.path)
    let failure = #expect(throws: KeyFailure.self) { try file.rotate(overlap: .zero, now: start) }
    #expect(failure?.description == "\(file.path): File name too long")
    #expect(try file.read() == ring)
  }

  @Test("a missing or read-only folder is reported in one clear line")
  func noFolder() {
    let failure = #expect(throws: KeyFailure.self) { try KeyFile(path: "/nonexistent/keys").openOrCreate() }
    #expect(failure?.description == "/nonexistent/keys: No such file or directory")
  }
}
