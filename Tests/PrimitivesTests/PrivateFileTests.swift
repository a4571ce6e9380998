import Foundation
import TestSupport
import Testing

@testable import Primitives

@Suite struct PrivateFileTests {
  private let directory: TemporaryDirectory
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("secret")
    try Data("secret".utf8).write(to: URL(fileURLWithPath: path))
  }

  private func setMode(_ mode: Int, of path: String) throws {
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
  }

  @Test(
    "the owner may read and write, a group of the process may read, and no one else",
    arguments: [
      (0o600, 7, true), (0o400, 7, true), (0o640, 5, true), (0o440, 5, true), (0o640, 7, false),
      (0o660, 5, false),
      (0o620, 5, false), (0o610, 5, false), (0o604, 5, false), (0o644, 5, false), (0o601, 5, false),
      (0o777, 5, false),
    ] as [(mode_t, gid_t, Bool)])
  func judgement(mode: mode_t, group: gid_t, isPrivate: Bool) {
    let exposure = PrivateFile.exposure(of: "/keys", mode: S_IFREG | mode, group: group, ownGroups: [1, 5])
    #expect((exposure == nil) == isPrivate, "\(exposure ?? "")")
    guard let exposure else { return }
    #expect(exposure.contains("chmod 600 /keys") && exposure.contains("0\(String(mode, radix: 8))"))
  }

  @Test("the file behind links is checked, not the links")
  func links() throws {
    let (inner, outer) = (directory.path("inner"), directory.path("outer"))
    try FileManager.default.createSymbolicLink(atPath: inner, withDestinationPath: "secret")
    try FileManager.default.createSymbolicLink(atPath: outer, withDestinationPath: inner)
    for (mode, isPrivate) in [(0o600, true), (0o644, false), (0o640, true)] {
      try setMode(mode, of: path)
      let file = try PrivateFile(path: outer)
      #expect(file.contents == Data("secret".utf8))
      #expect((file.exposure == nil) == isPrivate)
    }
  }

  @Test("a missing file, a folder and a far too long file are reported in one line that names the path")
  func unreadable() throws {
    let missing = #expect(throws: PrivateFile.Failure.self) { try PrivateFile(path: directory.path("none")) }
    #expect(missing?.isMissing == true)
    let folder = #expect(throws: PrivateFile.Failure.self) { try PrivateFile(path: directory.url.path) }
    #expect(folder?.description == "\(directory.url.path): Is a directory" && folder?.isMissing == false)
    try Data(count: PrivateFile.longest + 1).write(to: URL(fileURLWithPath: path))
    let long = #expect(throws: PrivateFile.Failure.self) { try PrivateFile(path: path) }
    #expect(long?.reason == "is larger than 1 MiB")
  }

  @Test("a file is replaced atomically, and keeps its owner and its group's read permission")
  func replaced() throws {
    try setMode(0o640, of: path)
    // A file left behind by a process with the same id is no obstacle.
    try Data("old".utf8).write(to: URL(fileURLWithPath: "\(path).\(getpid()).new"))
    try PrivateFile.replace(path, with: Data("new".utf8))
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data("new".utf8))
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    #expect(attributes[.posixPermissions] as? Int == 0o640)
    try PrivateFile.replace(directory.path("made"), with: Data("new".utf8))
    let made = try FileManager.default.attributesOfItem(atPath: directory.path("made"))
    #expect(made[.posixPermissions] as? Int == 0o600)
    #expect(
      try Set(FileManager.default.contentsOfDirectory(atPath: directory.url.path)) == ["secret", "made"])
  }

  @Test("a file that cannot be replaced stays unchanged, and nothing is left beside it")
  func notReplaced() throws {
    // A folder cannot be replaced by a file (rename(2)).
    let folder = directory.path("folder")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    let failure = #expect(throws: PrivateFile.Failure.self) {
      try PrivateFile.replace(folder, with: Data("new".utf8))
    }
    #expect(failure?.description == "\(folder): Is a directory")
    #expect(
      try Set(FileManager.default.contentsOfDirectory(atPath: directory.url.path)) == ["secret", "folder"])
    let missing = #expect(throws: PrivateFile.Failure.self) {
      try PrivateFile.replace("/nonexistent/secret", with: Data())
    }
    #expect(missing?.description == "/nonexistent/secret: No such file or directory")
  }

  @Test("a new file is private to its owner, and never replaces an existing one")
  func created() throws {
    let new = directory.path("new")
    try PrivateFile.create(at: new).close()
    #expect(try FileManager.default.attributesOfItem(atPath: new)[.posixPermissions] as? Int == 0o600)
    let error = #expect(throws: POSIXError.self) { try PrivateFile.create(at: new) }
    #expect(error?.code == .EEXIST)
  }
}
