import Testing
import TokenSigning
import UserAPI
import UserDomain

@testable import UserServiceApp

@Suite struct AuthConfigurationTests {
  private static func settings(_ flags: [String: String]) throws -> ServiceConfiguration {
    try ServiceConfiguration(flags: flags, file: nil, environment: [:])
  }

  @Test("by default, calls need tokens, and only the service's own are accepted")
  func defaults() throws {
    let configuration = try Self.settings([:])
    #expect(configuration.auth.isOn && configuration.auth.reflectionIsPublic)
    #expect(configuration.auth.sessions == SessionPolicy())
    #expect(configuration.auth.peerLimit == PeerLimit(rate: 10, burst: 100))
    #expect(configuration.authority == .init(keys: KeyFile(path: "users.db.keys")))
  }

  @Test(
    "without tokens, it listens only where this machine can reach it, unless --insecure is given",
    arguments: [
      ("0.0.0.0:1", false), ("[::]:1", false), ("192.0.2.1:1", false), ("127.9.9.9:1", true),
      ("unix:a", true),
    ])
  func exposure(address: String, isLocal: Bool) throws {
    let flags = ["auth.mode": "off", "listen": "127.0.0.1:1,\(address)".replacing("unix:a,", with: "")]
    if isLocal {
      #expect(try !Self.settings(flags).auth.isOn)
    } else {
      #expect {
        try Self.settings(flags)
      } throws: { error in
        "\(error)"
          == "auth.mode is off, but others can reach \(address); add --insecure to permit that"
      }
    }
    #expect(try !Self.settings(flags.merging(["insecure": "true"]) { $1 }).auth.isOn)
  }

  @Test(
    "an access token does not outlive its refresh token, nor a refresh token its session",
    arguments: [
      ("1d", "1d", "1d", true), ("1d", "23h", "2d", false), ("1h", "3d", "2d", false),
      ("1s", "1s", "1s", true),
    ])
  func lifetimes(access: String, refresh: String, session: String, isValid: Bool) throws {
    let flags = [
      "auth.access.lifetime": access, "auth.refresh.lifetime": refresh, "auth.session.lifetime": session,
    ]
    if isValid {
      let sessions = try Self.settings(flags).auth.sessions
      #expect(sessions.accessLifetime.text == access && sessions.refreshLifetime.text == refresh)
      #expect(sessions.sessionLifetime.text == session)
    } else {
      #expect {
        try Self.settings(flags)
      } throws: { error in
        "\(error)"
          == "auth.access.lifetime must not exceed auth.refresh.lifetime, which must not exceed auth.session.lifetime"
      }
    }
  }

  @Test("another issuer has the configured values, and by default the service's audience")
  func outside() throws {
    var flags = ["auth.jwks.file": "keys.json", "auth.jwks.issuer": "them", "auth.audience": "us"]
    #expect(
      try Self.settings(flags).authority.outside
        == OutsideIssuer(keySet: "keys.json", name: "them", audience: "us"))
    flags.merge([
      "auth.jwks.audience": "ours", "auth.jwks.algorithms": "HS256, EdDSA", "auth.jwks.type": "any",
      "auth.jwks.max.lifetime": "2h", "auth.jwks.users": "false",
    ]) { $1 }
    let rules = OutsideTokenRules(type: .any, longestLifetime: .seconds(7_200), mayBeUsers: false)
    #expect(
      try Self.settings(flags).authority.outside
        == OutsideIssuer(
          keySet: "keys.json", name: "them", audience: "ours", algorithms: [.hs256, .edDSA], rules: rules))
  }

  @Test(
    "another issuer needs a file, a different name and an algorithm",
    arguments: [
      (["auth.jwks.file": "a"], "auth.jwks.file needs auth.jwks.issuer"),
      (["auth.jwks.issuer": "a"], "auth.jwks.issuer needs auth.jwks.file"),
      (
        ["auth.jwks.file": "a", "auth.jwks.issuer": "user-service"],
        "auth.jwks.issuer must differ from auth.issuer"
      ),
      (["auth.jwks.algorithms": ","], "auth.jwks.algorithms names no algorithm"),
      (
        ["auth.jwks.algorithms": "EdDSA,none"],
        "auth.jwks.algorithms is 'none'; it must be EdDSA, ES256, RS256 or HS256"
      ),
    ])
  func incomplete(flags: [String: String], words: String) {
    #expect {
      try Self.settings(flags)
    } throws: {
      "\($0)" == words
    }
  }

  @Test("the rate of a network may be unlimited")
  func peerLimit() throws {
    #expect(try Self.settings(["peer.rate": "none", "peer.burst": "5"]).auth.peerLimit == nil)
    #expect(
      try Self.settings(["peer.rate": "0.5", "peer.burst": "5"]).auth.peerLimit
        == PeerLimit(rate: 0.5, burst: 5))
  }
}
