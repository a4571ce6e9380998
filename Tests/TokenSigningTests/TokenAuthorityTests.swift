import Foundation
import TestSupport
import Testing
import UserDomain

@testable import TokenSigning

/// Tests the service's own tokens. Tests/python/test_tokens.py and test_outside_issuer.py test them against other
/// software.
@Suite struct TokenAuthorityTests {
  private let directory: TemporaryDirectory
  private let clock = ManualClock()
  private let uptime = ManualClock()
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
    return try await TokenAuthority(
      settings, clock: { [clock] in clock.now },
      uptime: { [uptime] in .microseconds(uptime.now.microsecondsSinceEpoch) })
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

  @Test("signed claims are read back, the first time and later")
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

  @Test("a token is valid until 30 seconds after its expiry, also when it is cached")
  func expiry() async throws {
    let authority = try await authority()
    let token = try authority.issue(claims())
    clock.advance(by: .seconds(929))
    #expect(fault(authority, token) == nil)
    clock.advance(by: .seconds(1))
    #expect(fault(authority, token) == .expired)
    #expect(fault(try await self.authority(), token) == .expired)
  }

  @Test("a token truncated or changed anywhere is refused")
  func damaged() async throws {
    let authority = try await authority()
    let token = try authority.issue(claims())
    for length in 0..<token.utf8.count {
      #expect(fault(authority, String(token.prefix(length))) != nil)
    }
    for index in token.indices where token[index] != "." {
      var changed = token
      changed.replaceSubrange(index...index, with: token[index] == "A" ? "B" : "A")
      // The last digit of a part has unused bits. Whatever they are, no other claims may be accepted.
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
    let others: [((inout TokenAuthority.Configuration) -> Void, TokenFault)] = [
      ({ $0.keys = nil }, .unknownKey), ({ $0.issuer = "another" }, .untrusted),
      ({ $0.audience = "another" }, .untrusted),
    ]
    for (other, expected) in others {
      let token = try await self.authority(other).issue(claims())
      #expect(fault(authority, token) == expected)
    }
  }

  @Test("a reload uses a rotated key; the previous key is valid exactly for the overlap")
  func rotation() async throws {
    let authority = try await authority()
    let (used, unused) = (try authority.issue(claims()), try authority.issue(claims("other")))
    #expect(fault(authority, used) == nil)
    #expect(await authority.reload().isEmpty)
    _ = try file.rotate(overlap: .seconds(300), now: Date(timeIntervalSince1970: 1_764_000_000))
    #expect(await authority.reload() == [.reloaded(file: file.path, keys: 2)])
    #expect(authority.publicKeys.count == 2)
    let new = try authority.issue(claims())
    #expect([used, unused, new].allSatisfy { fault(authority, $0) == nil })
    let late = try authority.issue(claims("late"))
    clock.advance(by: .seconds(301))
    // No file has to be read for that: the old key expires.
    #expect(fault(authority, used) == .expired)
    #expect(fault(authority, new) == nil && fault(authority, late) == nil)
    #expect(authority.publicKeys.count == 1)
    #expect(fault(try await self.authority(), used) == .unknownKey)
  }

  @Test("of two changed files, the valid one is used")
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
    #expect(
      await authority.reload() == [
        .reloaded(file: file.path, keys: 2), .failed(KeyFailure(path, "not a JWK Set: not JSON")),
      ])
    #expect(fault(authority, before) == .unknownKey)
    #expect(fault(authority, try authority.issue(claims())) == nil)
  }

  @Test("every thread that has cached tokens of a removed key forgets them")
  func threads() async throws {
    let authority = try await authority()
    let token = try authority.issue(claims())
    // Many tasks run on the available threads, while the keys change in the middle.
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<200 {
        // Valid or not, depending on when it runs.
        group.addTask { _ = try? authority.verifier.verify(authorization: "Bearer \(token)") }
      }
      _ = try file.rotate(overlap: .zero, now: Date(timeIntervalSince1970: 1_764_000_000))
      await authority.reload()
      for _ in 0..<200 {
        group.addTask { #expect(fault(authority, token) == .unknownKey) }
      }
      try await group.waitForAll()
    }
  }

  @Test("unreadable keys are not used, and the previous ones stay")
  func brokenReload() async throws {
    let authority = try await authority()
    let token = try authority.issue(claims())
    try Data("broken".utf8).write(to: URL(fileURLWithPath: file.path))
    // Each problem is reported once.
    #expect(await authority.reload().count == 1)
    #expect(await authority.reload().isEmpty)
    try FileManager.default.removeItem(atPath: file.path)
    #expect(await authority.reload() == [.failed(KeyFailure(file.path, "the key file is missing"))])
    #expect(fault(authority, token) == nil)
    #expect(throws: Never.self) { try authority.issue(claims()) }
  }

  @Test("a retired key is trusted for its overlap in real time, even if the clock is set back meanwhile")
  func clockSetBack() async throws {
    _ = try file.openOrCreate(now: clock.now.date)
    let authority = try await authority()
    let token = try authority.issue(claims("ahead"))
    _ = try file.rotate(overlap: .seconds(300), now: clock.now.date)
    await authority.reload()
    #expect(fault(authority, token) == nil)
    clock.advance(by: .seconds(-3_600))
    uptime.advance(by: .seconds(299))
    #expect(await authority.reload().isEmpty)
    #expect(fault(authority, token) == nil)
    uptime.advance(by: .seconds(1))
    await authority.reload()
    #expect(fault(authority, token) == .unknownKey)
    #expect(authority.publicKeys.count == 1)
  }

  @Test("a key retired immediately while the clock was ahead is refused after the clock is set back")
  func retiredAtOnce() async throws {
    let authority = try await authority()
    let token = try authority.issue(claims())
    clock.advance(by: .seconds(86_400))
    _ = try file.rotate(overlap: .zero, now: clock.now.date)
    clock.advance(by: .seconds(-86_400))
    await authority.reload()
    #expect(fault(authority, token) == .unknownKey)
    #expect(fault(try await self.authority(), token) == .unknownKey)
  }

  @Test("a call's look at the files begins after the call, and is shared by all waiting calls")
  func refresh() async throws {
    let authority = try await authority()
    for _ in 0..<3 {
      _ = try file.rotate(overlap: .zero, now: clock.now.date)
      let token = try await self.authority().issue(claims())
      #expect(fault(authority, token) == .unknownKey)
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<100 { group.addTask { await authority.refresh() } }
      }
      #expect(fault(authority, token) == nil)
    }
  }
}
