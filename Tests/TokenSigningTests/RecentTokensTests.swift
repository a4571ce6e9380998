import Testing
import UserDomain

@testable import TokenSigning

@Suite struct RecentTokensTests {
  private var recent = RecentTokens()

  private func claims(_ name: String) -> AccessTokenClaims {
    AccessTokenClaims(principal: Principal(subject: name, scopes: []), issuedAt: nil, expiresAt: .now)
  }

  private func said(by token: String) -> String? {
    Array(token.utf8).withUnsafeBytes { recent.claims(for: $0)?.principal.subject }
  }

  private mutating func insert(_ token: String) {
    let claims = claims(token)
    Array(token.utf8).withUnsafeBytes { recent.insert(claims, for: $0) }
  }

  @Test("a token is known by all of its bytes, not only by the last ones")
  mutating func exact() {
    let token = "Bearer abcdefgh.ijklmnop.12345678"
    insert(token)
    #expect(said(by: token) == token)
    for index in token.indices {
      var other = token
      other.replaceSubrange(index...index, with: "?")
      #expect(said(by: other) == nil, "\(other)")
    }
    #expect(said(by: "x" + token) == nil && said(by: String(token.dropFirst())) == nil)
    #expect(said(by: "12345678") == nil)
  }

  @Test("of many tokens few are kept, the last one always")
  mutating func few() {
    let tokens = (0..<1_000).map { "Bearer token.number.\($0 &* 7_919)" }
    for token in tokens {
      insert(token)
      #expect(said(by: token) == token)
    }
    let kept = tokens.filter { said(by: $0) != nil }
    #expect(kept.count > 4 && kept.count <= 16)
    recent.removeAll()
    #expect(tokens.allSatisfy { said(by: $0) == nil })
  }

  @Test("text too short to be a token is not kept")
  mutating func short() {
    for token in ["", "1234567"] {
      insert(token)
      #expect(said(by: token) == nil)
    }
  }
}
