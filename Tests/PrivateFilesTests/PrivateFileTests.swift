import Foundation
import TestSupport
import Testing

@testable import PrivateFiles

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
    "its owner may read and write, a group of the process may read, and no other",
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

  @Test("the file behind links is judged, not the links")
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

  @Test("a file that is missing, a folder, or far too long is one line that names it")
  func unreadable() throws {
    let missing = #expect(throws: PrivateFile.Failure.self) { try PrivateFile(path: directory.path("none")) }
    #expect(missing?.isMissing == true)
    let folder = #expect(throws: PrivateFile.Failure.self) { try PrivateFile(path: directory.url.path) }
    #expect(folder?.description == "\(directory.url.path): Is a directory" && folder?.isMissing == false)
    try Data(count: PrivateFile.longest + 1).write(to: URL(fileURLWithPath: path))
    let long = #expect(throws: PrivateFile.Failure.self) { try PrivateFile(path: path) }
    #expect(long?.reason == "is larger than 1 MiB")
  }
}
