import Testing
import UserDomain

@testable import TokenSigning

@Suite struct TokenCacheTests {
  private func claims(_ number: Int) -> AccessTokenClaims {
    AccessTokenClaims(principal: Principal(subject: "\(number)", scopes: []), issuedAt: nil, expiresAt: .now)
  }

  private static func key(_ token: String) -> TokenCache.Key {
    Array(token.utf8).withUnsafeBytes { TokenCache.Key($0) }
  }

  @Test("tokens are cached by their digests, at most twice the capacity")
  func bounded() {
    var cache = TokenCache(capacity: 100)
    for number in 0..<10_000 {
      cache.insert(claims(number), for: Self.key("\(number)"))
      #expect(cache.count <= 200)
    }
    #expect(cache.claims(for: Self.key("9999"))?.principal.subject == "9999")
    #expect(cache.claims(for: Self.key("0")) == nil)
  }

  @Test("a token in use stays, however many others come")
  func inUse() {
    var cache = TokenCache(capacity: 100)
    let key = Self.key("used")
    cache.insert(claims(-1), for: key)
    for number in 0..<10_000 {
      cache.insert(claims(number), for: Self.key("\(number)"))
      if number % 50 == 0 { #expect(cache.claims(for: key) != nil) }
    }
    cache.removeAll()
    #expect(cache.claims(for: key) == nil)
  }
}
