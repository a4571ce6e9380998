import Foundation
import Primitives
import Synchronization
import TestSupport
import Testing
import UserDomain

@testable import TokenSigning

/// The key set of an outside issuer. Its tokens are in Tests/python/test_auth.py.
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

  /// Whether the key "good" is believed: a token with a wrong signature of it is untrusted, not of an unknown key.
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
    "keys that are weak, odd, or not for signatures are left out and named, and the others are used",
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

  @Test("a set of odd keys alone, and an empty one, are sets without a key: nothing is believed")
  func empty() async throws {
    for set in [#"{"keys": []}"#, #"{"keys": [7]}"#] {
      try write(set)
      let authority = try await self.authority()
      #expect(!believesGood(authority))
      #expect(reported.events.withLock { $0.contains(.reloaded(file: path, keys: 0)) })
    }
  }

  @Test(
    "what is not a set, or a set whose keys cannot be told apart, is an error that says so",
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
    // The same while it runs: the previous keys stay, and the log says so once.
    try write(#"{"keys": [\#(Self.good)]}"#)
    let authority = try await self.authority()
    try write(set)
    #expect(await authority.reload() == [.failed(try #require(failure))])
    #expect(await authority.reload().isEmpty)
    #expect(believesGood(authority))
  }

  @Test("keys of one name for different algorithms can be told apart")
  func sameNameOtherAlgorithm() async throws {
    let secret = Base64URL.encode(SystemRandom.bytes(32))
    try write(#"{"keys": [\#(Self.good), {"kty": "oct", "kid": "good", "k": "\#(secret)"}]}"#, mode: 0o600)
    #expect(believesGood(try await authority()))
  }

  @Test("a set replaces the one before it, also when it is empty or lacks a key")
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

  @Test("keys whose file cannot be used are believed for an hour, then not, until the file is right again")
  func grace() async throws {
    try write(#"{"keys": [\#(Self.good)]}"#)
    let authority = try await self.authority()
    try FileManager.default.removeItem(atPath: path)
    let failure = KeyFailure(path, "No such file or directory")
    #expect(await authority.reload() == [.failed(failure)])
    uptime.advance(by: .seconds(3_599))
    #expect(await authority.reload().isEmpty)
    #expect(believesGood(authority))
    // Another reason does not give it another hour.
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
    // A moment of trouble begins the hour anew.
    try write("{")
    await authority.reload()
    uptime.advance(by: .seconds(3_599))
    #expect(await authority.reload().isEmpty && believesGood(authority))
  }

  @Test("secret keys of another issuer must be secret, a group of the service's own may read them")
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
