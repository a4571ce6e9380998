import Foundation
import TestSupport
import Testing
import UserDomain

@testable import TokenSigning

/// The service's own tokens. What others make of them, and they of others', is in Tests/python/test_auth.py.
@Suite struct TokenAuthorityTests {
  private let directory: TemporaryDirectory
  private let clock = ManualClock()
  private let file: KeyFile

  init() throws {
    directory = try TemporaryDirectory()
    file = KeyFile(path: directory.path("keys"))
  }

  private func authority(
    _ configuration: (inout TokenAuthority.Configuration) -> Void = { _ in }
  ) async throws -> TokenAuthority {
    var settings = TokenAuthority.Configuration(keys: file)
    configuration(&settings)
    return try await TokenAuthority(settings, clock: { [clock] in clock.now })
  }

  private func claims(_ subject: String = "billing", scopes: Scopes = .usersRead) -> AccessTokenClaims {
    AccessTokenClaims(
      principal: Principal(subject: subject, scopes: scopes), issuedAt: clock.now,
      expiresAt: clock.now + .seconds(900), session: .random(), epoch: 3)
  }

  private func fault(_ authority: TokenAuthority, _ token: String) -> TokenFault? {
    do throws(UserError) {
      _ = try authority.verifier.verify(authorization: "Bearer \(token)")
      return nil
    } catch {
      guard case .unauthenticated(let fault) = error else { return nil }
      return fault
    }
  }

  @Test("what was signed is read back, the first time and later")
  func roundTrip() async throws {
    let authority = try await authority()
    let claims = claims()
    let token = try authority.issue(claims)
    for _ in 0..<2 {
      let read = try authority.verifier.verify(authorization: "Bearer \(token)")
      #expect(read.principal == claims.principal)
      #expect(read.session == claims.session && read.epoch == 3 && read.issuedAt == claims.issuedAt)
      #expect(read.expiresAt == claims.expiresAt + .seconds(30))
    }
  }

  @Test("a token is good until its end and 30 seconds more, also when it is remembered")
  func expiry() async throws {
    let authority = try await authority()
    let token = try authority.issue(claims())
    clock.advance(by: .seconds(929))
    #expect(fault(authority, token) == nil)
    clock.advance(by: .seconds(1))
    #expect(fault(authority, token) == .expired)
    #expect(fault(try await self.authority(), token) == .expired)
  }

  @Test("a token cut off or changed anywhere is refused")
  func damaged() async throws {
    let authority = try await authority()
    let token = try authority.issue(claims())
    for length in 0..<token.utf8.count {
      #expect(fault(authority, String(token.prefix(length))) != nil)
    }
    for index in token.indices where token[index] != "." {
      var changed = token
      changed.replaceSubrange(index...index, with: token[index] == "A" ? "B" : "A")
      // The last digit of a part has bits that mean nothing; whatever they are, nothing else may be believed.
      if let read = try? authority.verifier.verify(authorization: "Bearer \(changed)") {
        #expect(read.principal == claims().principal)
      }
    }
    for text in [
      "", ".", "..", "...", "a.b.c", token + ".", token + "=", " " + token, token + token, "\u{0}",
    ] {
      #expect(fault(authority, text) != nil)
    }
  }

  @Test("another service's tokens are not trusted: other keys, another issuer, another audience")
  func foreign() async throws {
    let authority = try await authority()
    let others: [(inout TokenAuthority.Configuration) -> Void] = [
      { $0.keys = nil }, { $0.issuer = "another" }, { $0.audience = "another" },
    ]
    for other in others {
      let token = try await self.authority(other).issue(claims())
      #expect(fault(authority, token) == .untrusted)
    }
  }

  @Test("a rotated key is taken up on reload; the key before is good for the overlap, and no longer")
  func rotation() async throws {
    let authority = try await authority()
    let (used, unused) = (try authority.issue(claims()), try authority.issue(claims("other")))
    #expect(fault(authority, used) == nil)
    #expect(try await !authority.reload())
    _ = try file.rotate(overlap: .seconds(300), now: Date(timeIntervalSince1970: 1_764_000_000))
    #expect(try await authority.reload())
    #expect(authority.publicKeys.count == 2)
    let new = try authority.issue(claims())
    #expect([used, unused, new].allSatisfy { fault(authority, $0) == nil })
    let late = try authority.issue(claims("late"))
    clock.advance(by: .seconds(301))
    // Nothing has to be read for that: the old key's time is over.
    #expect(fault(authority, used) == .expired)
    #expect(fault(authority, new) == nil && fault(authority, late) == nil)
    #expect(authority.publicKeys.count == 1)
    #expect(fault(try await self.authority(), used) == .untrusted)
  }

  @Test("of two files that have changed, the one that is right is taken up")
  func reloadOfOne() async throws {
    let path = directory.path("jwks.json")
    let good =
      #"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#
    try Data(good.utf8).write(to: URL(fileURLWithPath: path))
    let authority = try await authority {
      $0.outside = OutsideIssuer(keySet: path, name: "outside", audience: "users")
    }
    let before = try authority.issue(claims())
    try Data().write(to: URL(fileURLWithPath: path))
    _ = try file.rotate(overlap: .zero, now: Date(timeIntervalSince1970: 1_764_000_000))
    await #expect(throws: KeyFailure(path, "not a JWK Set")) { try await authority.reload() }
    #expect(fault(authority, before) == .untrusted)
    #expect(fault(authority, try authority.issue(claims())) == nil)
  }

  @Test("secret keys of another issuer must be secret")
  func exposedSecrets() async throws {
    let path = directory.path("jwks.json")
    let secret = Base64URL.encode(SystemRandom.bytes(32))
    try Data(#"{"keys": [{"kty": "oct", "k": "\#(secret)"}]}"#.utf8).write(to: URL(fileURLWithPath: path))
    for (mode, isRefused) in [(0o644, true), (0o600, false)] {
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
      do {
        _ = try await authority {
          $0.outside = OutsideIssuer(keySet: path, name: "outside", audience: "users", algorithms: [.hs256])
        }
        #expect(!isRefused)
      } catch {
        #expect(isRefused && "\(error)".contains("chmod 600"))
      }
    }
  }

  @Test("a key that goes is forgotten by every thread that has seen its tokens")
  func threads() async throws {
    let authority = try await authority()
    let token = try authority.issue(claims())
    // Many tasks on the threads that there are, while the keys change in the middle of it.
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<200 {
        // Good or not, depending on when it runs.
        group.addTask { _ = try? authority.verifier.verify(authorization: "Bearer \(token)") }
      }
      _ = try file.rotate(overlap: .zero, now: Date(timeIntervalSince1970: 1_764_000_000))
      try await authority.reload()
      for _ in 0..<200 {
        group.addTask { #expect(fault(authority, token) == .untrusted) }
      }
      try await group.waitForAll()
    }
  }

  @Test("keys that cannot be read are not taken up, and those from before stay")
  func brokenReload() async throws {
    let authority = try await authority()
    let token = try authority.issue(claims())
    try Data("broken".utf8).write(to: URL(fileURLWithPath: file.path))
    await #expect(throws: KeyFailure.self) { try await authority.reload() }
    try FileManager.default.removeItem(atPath: file.path)
    await #expect(throws: KeyFailure.self) { try await authority.reload() }
    #expect(fault(authority, token) == nil)
    #expect(throws: Never.self) { try authority.issue(claims()) }
  }

  @Test(
    "keys of a JWK Set that are weak, or not for signatures, do not count",
    arguments: [
      #"{"keys": []}"#, #"{"keys": [{"kty": "oct", "k": "c2hvcnQ"}]}"#,
      #"{"keys": [{"kty": "RSA", "n": "3ZWrUY0Y6IKN1qI4BhxR2C7oHVFgGPYkd38uGq1jQNSqEvJFcN93CYm16_G78FAFKWqwsJb3Wx-nbxDn6LtP4w", "e": "AQAB"}]}"#,
      #"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "use": "enc"}]}"#,
      #"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "alg": "HS256"}]}"#,
      #"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}]}"#,
      #"{"keys": [{"kty": "OKP", "crv": "Ed25519"}]}"#,
      #"{"keys": [{"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}]}"#, #"{"kty": "oct"}"#, "[]",
      "not JSON",
    ])
  func weakKeys(set: String) async throws {
    let path = directory.path("jwks.json")
    try Data(set.utf8).write(to: URL(fileURLWithPath: path))
    let failure = await #expect(throws: KeyFailure.self) {
      try await authority {
        $0.outside = OutsideIssuer(
          keySet: path, name: "outside", audience: "users", algorithms: Set(SignatureAlgorithm.allCases))
      }
    }
    #expect(failure?.description.hasPrefix("\(path): ") == true)
  }
}
