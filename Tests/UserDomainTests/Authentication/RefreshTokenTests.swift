import Crypto
import Primitives
import Testing

@testable import UserDomain

@Suite struct RefreshTokenTests {
  private let key = SymmetricKey(size: .bits256)

  @Test("a token is read back from its text, and has the same hash and successor")
  func roundTrip() throws {
    let token = RefreshToken(session: .random(), key: key)
    let read = try RefreshToken(token.text, key: key)
    #expect(token.text.utf8.count == 64)
    #expect(read.session == token.session)
    #expect(read.hash == token.hash)
    #expect(read.successor(key: key).text == token.successor(key: key).text)
    #expect(token.successor(key: key).session == token.session)
    #expect(token.successor(key: key).hash != token.hash)
  }

  @Test("a token with any bit changed, or of another database, is not trusted")
  func forged() throws {
    let token = RefreshToken(session: .random(), key: key)
    let bytes = Array(try #require(Base64URL.decode(token.text)))
    for index in bytes.indices {
      var changed = bytes
      changed[index] ^= 1
      #expect(throws: UserError.unauthenticated(.untrusted)) {
        try RefreshToken(Base64URL.encode(changed), key: key)
      }
    }
    #expect(throws: UserError.unauthenticated(.untrusted)) {
      try RefreshToken(token.text, key: SymmetricKey(size: .bits256))
    }
  }

  @Test(
    "other text is not a token",
    arguments: [
      "", "x", String(repeating: "A", count: 63), String(repeating: "A", count: 65),
      String(repeating: "=", count: 64), String(repeating: "é", count: 32), String(repeating: " ", count: 64),
      String(repeating: "A", count: 1_000_000),
    ])
  func malformed(text: String) {
    #expect(throws: UserError.unauthenticated(.malformed)) { try RefreshToken(text, key: key) }
  }

  @Test("neither a token nor a pair of them prints itself")
  func secrecy() {
    let token = RefreshToken(session: .random(), key: key)
    let pair = TokenPair(
      accessToken: "the-access-token", accessTokenExpiresAt: .now, refreshToken: token.text,
      refreshTokenExpiresAt: .now)
    for text in ["\(token)", String(reflecting: token), "\(pair)", String(reflecting: pair)] {
      #expect(!text.contains(token.text) && !text.contains("the-access-token"))
    }
    var dumped = ""
    dump([token], to: &dumped)
    dump([pair], to: &dumped)
    #expect(!dumped.contains(token.text) && !dumped.contains("the-access-token"))
  }
}
