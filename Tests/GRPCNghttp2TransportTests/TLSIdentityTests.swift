import Foundation
import GRPCNghttp2Transport
import TestSupport
import Testing

/// Certificates and keys that are replaced while the server runs.
@Suite(.tags(.io)) struct TLSIdentityTests {
  private let directory: TemporaryDirectory
  private let files: TLSIdentity.Files

  init() throws {
    directory = try TemporaryDirectory()
    files = TLSIdentity.Files(certificate: directory.path("live.pem"), key: directory.path("live.key"))
  }

  /// Puts the certificate of `first` and the key of `second` where the server reads them.
  private func install(_ first: TestCertificate, keyOf second: TestCertificate) throws {
    for (source, target) in [(first.certificate, files.certificate), (second.key, files.key)] {
      let contents = try Data(contentsOf: URL(fileURLWithPath: source))
      #expect(
        FileManager.default.createFile(
          atPath: target, contents: contents, attributes: [.posixPermissions: 0o600]))
    }
  }

  @Test("a pair that cannot be used is refused by name, and a good one is taken the next time")
  func brokenPair() async throws {
    let one = try await TestCertificate(in: directory, name: "one")
    let two = try await TestCertificate(in: directory, name: "two")
    try install(one, keyOf: one)
    let identity = try TLSIdentity(files)
    #expect(try !identity.reload())

    try install(two, keyOf: one)
    for _ in 0..<2 {
      let failure = #expect(throws: TLSIdentity.Failure.self) { try identity.reload() }
      #expect(failure?.description.contains(files.key) == true, "\(String(describing: failure))")
    }
    // The pair from before is still in use, so that it is nothing new.
    try install(one, keyOf: one)
    #expect(try !identity.reload())

    try install(two, keyOf: two)
    #expect(try identity.reload())
    #expect(try !identity.reload())
  }

  @Test("a key that others can read is not taken, whatever the certificate")
  func exposedKey() async throws {
    let one = try await TestCertificate(in: directory, name: "one")
    let two = try await TestCertificate(in: directory, name: "two")
    try install(one, keyOf: one)
    let identity = try TLSIdentity(files)
    try install(two, keyOf: two)
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: files.key)
    let failure = #expect(throws: TLSIdentity.Failure.self) { try identity.reload() }
    #expect(failure?.description.contains("chmod 600 \(files.key)") == true)
  }
}
