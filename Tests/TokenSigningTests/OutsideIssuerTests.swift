import Foundation
import Primitives
import Synchronization
import TestSupport
import Testing
import UserDomain

@testable import TokenSigning

/// Tests the key set of an outside issuer. Tests/python/test_outside_issuer.py tests its tokens.
@Suite struct OutsideIssuerTests {
  private static let good =
    #"{"kty": "OKP", "crv": "Ed25519", "kid": "good", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#

  private let directory: TemporaryDirectory
  private let path: String
  private let uptime = ManualClock()
  private let reported = Reports()

  private final class Reports: Sendable {
    let events = Mutex<[KeyEvent]>([])
  }

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("jwks.json")
  }

  private func write(_ text: String, mode: Int = 0o644) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
  }

  private func authority() async throws -> TokenAuthority {
    let outside = OutsideIssuer(
      keySet: path, name: "outside", audience: "users", algorithms: Set(SignatureAlgorithm.allCases))
    return try await TokenAuthority(
      .init(keys: nil, outside: outside), clock: { .now },
      uptime: { [uptime] in .microseconds(uptime.now.microsecondsSinceEpoch) }
    ) { [reported] event in reported.events.withLock { $0.append(event) } }
  }

  /// Returns whether the key "good" is trusted. If so, a token with a wrong signature is untrusted; else its key is
  /// unknown.
  private func believesGood(_ authority: TokenAuthority) -> Bool {
    let header = Base64URL.encode(Array(#"{"alg":"EdDSA","kid":"good","typ":"at+jwt"}"#.utf8))
    let claims = Base64URL.encode(Array(#"{"iss":"outside","aud":"users","sub":"x","exp":4000000000}"#.utf8))
    do {
      _ = try authority.verifier.verify(authorization: "Bearer \(header).\(claims).AAAA")
      return false
    } catch {
      return error == .unauthenticated(.untrusted)
    }
  }

  @Test(
    "weak, odd and non-signing keys are ignored and named, and the others are used",
    arguments: [
      (#"{"kty": "oct", "k": "c2hvcnQ", "kid": "weak"}"#, "0 (kid 'weak')", "its secret is shorter"),
      (
        #"{"kty": "RSA", "n": "3ZWrUY0Y6IKN1qI4BhxR2C7oHVFgGPYkd38uGq1jQNSqEvJFcN93CYm16_G78FAFKWqwsJb3Wx-nbxDn6LtP4w", "e": "AQAB"}"#,
        "0", "its modulus is shorter"
      ),
      (
        #"{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "use": "enc"}"#,
        "0",
        "not for signatures"
      ),
      (
        #"{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "alg": "HS256"}"#,
        "0",
        "type or algorithm"
      ),
      (#"{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}"#, "0", "not a key"),
      (#"{"kty": "OKP", "crv": "Ed25519"}"#, "0", "not a key"),
      (#"{"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}"#, "0", "not a key"),
      (#"{"kty": "PQ", "kid": "a\nb"}"#, "0 (kid 'a?b')", "type or algorithm"),
      (#"{"kid": "odd"}"#, "0 (kid 'odd')", "it has no 'kty'"), ("{}", "0", "it has no 'kty'"),
      (#"{"kty": 1, "kid": 2}"#, "0", "its 'kty' is not text"), (#"{"kty": null}"#, "0", "'kty'"),
      ("7", "0", "not an object"), ("null", "0", "not"), (#""text""#, "0", "not an object"),
      ("[]", "0", "not an object"),
    ])
  func oddKeys(odd: String, key: String, reason: String) async throws {
    try write(#"{"keys": [\#(odd), \#(Self.good)]}"#)
    let authority = try await self.authority()
    #expect(believesGood(authority))
    let events = reported.events.withLock { $0 }
    guard case .keyIgnored(path, key, let said)? = events.first, events.count == 1 else {
      Issue.record("\(events)")
      return
    }
    #expect(said.contains(reason), "\(said)")
  }

  @Test("a set with only odd keys, and an empty one, have no key: no token is trusted")
  func empty() async throws {
    for set in [#"{"keys": []}"#, #"{"keys": [7]}"#] {
      try write(set)
      let authority = try await self.authority()
      #expect(!believesGood(authority))
      #expect(reported.events.withLock { $0.contains(.reloaded(file: path, keys: 0)) })
    }
  }

  @Test(
    "text that is not a set, or a set with indistinguishable keys, is an error that says so",
    arguments: [
      ("not JSON", "not JSON"), ("", "not JSON"), ("[]", "no list 'keys'"),
      (#"{"kty": "oct"}"#, "no list 'keys'"),
      (#"{"keys": {}}"#, "no list 'keys'"), (#"{"keys": null}"#, "no list 'keys'"),
      (#"{"keys": [\#(good), \#(good)]}"#, "key id (kid) 'good'"),
      (#"{"keys": [], "keys": [\#(good)]}"#, "'keys' twice"),
      (#"{"keys": [{"kty": "OKP", "kid": "a", "kid": "b"}]}"#, "'kid' twice"),
    ])
  func notASet(set: String, reason: String) async throws {
    try write(set)
    let failure = await #expect(throws: KeyFailure.self) { try await self.authority() }
    #expect(
      failure?.description.hasPrefix("\(path): ") == true && failure?.description.contains(reason) == true)
    // Also while it runs: the previous keys stay, and the log says so once.
    try write(#"{"keys": [\#(Self.good)]}"#)
    let authority = try await self.authority()
    try write(set)
    #expect(await authority.reload() == [.failed(try #require(failure))])
    #expect(await authority.reload().isEmpty)
    #expect(believesGood(authority))
  }

  @Test("keys with one id for different algorithms can be told apart")
  func sameNameOtherAlgorithm() async throws {
    let secret = Base64URL.encode(SystemRandom.bytes(32))
    try write(#"{"keys": [\#(Self.good), {"kty": "oct", "kid": "good", "k": "\#(secret)"}]}"#, mode: 0o600)
    #expect(believesGood(try await authority()))
  }

  @Test("a set replaces the previous one, even when it is empty or lacks a key")
  func replaced() async throws {
    try write(#"{"keys": [\#(Self.good)]}"#)
    let authority = try await self.authority()
    for set in [#"{"keys": []}"#, #"{"keys": [\#(Self.good.replacing("good", with: "other"))]}"#] {
      #expect(believesGood(authority))
      try write(set)
      #expect(await authority.reload().count == 1)
      #expect(!believesGood(authority))
      try write(#"{"keys": [\#(Self.good)]}"#)
      await authority.reload()
    }
  }

  @Test("keys whose file is unusable are trusted for an hour, then not until the file is valid again")
  func grace() async throws {
    try write(#"{"keys": [\#(Self.good)]}"#)
    let authority = try await self.authority()
    try FileManager.default.removeItem(atPath: path)
    let failure = KeyFailure(path, "No such file or directory")
    #expect(await authority.reload() == [.failed(failure)])
    uptime.advance(by: .seconds(3_599))
    #expect(await authority.reload().isEmpty)
    #expect(believesGood(authority))
    // Another reason does not restart the hour.
    try write("{")
    #expect(await authority.reload() == [.failed(KeyFailure(path, "not a JWK Set: not JSON"))])
    uptime.advance(by: .seconds(1))
    #expect(await authority.reload() == [.trustEnded(KeyFailure(path, "not a JWK Set: not JSON"))])
    #expect(!believesGood(authority))
    uptime.advance(by: .seconds(3_600))
    #expect(await authority.reload().isEmpty)
    try write(#"{"keys": [\#(Self.good)]}"#)
    #expect(await authority.reload() == [.reloaded(file: path, keys: 1)])
    #expect(believesGood(authority))
    // A new problem after a good read starts the hour anew.
    try write("{")
    await authority.reload()
    uptime.advance(by: .seconds(3_599))
    #expect(await authority.reload().isEmpty && believesGood(authority))
  }

  @Test("secret keys of another issuer must be private, but a group of the service may read them")
  func exposedSecrets() async throws {
    let secret = Base64URL.encode(SystemRandom.bytes(32))
    for (mode, isRefused) in [(0o644, true), (0o600, false), (0o640, false)] {
      try write(#"{"keys": [{"kty": "oct", "k": "\#(secret)"}]}"#, mode: mode)
      do {
        _ = try await authority()
        #expect(!isRefused)
      } catch {
        #expect(isRefused && "\(error)".contains("chmod 600"))
      }
    }
  }
}
