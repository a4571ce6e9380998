import Testing
import UserDomain

@testable import UserAPI

@Suite struct PageTokenCodecTests {
  private let codec = PageTokenCodec(key: [UInt8](repeating: 7, count: PageTokenCodec.keyLength))

  @Test("a token gives its id back, and is 43 characters that need no escaping")
  func roundTrip() {
    for _ in 0..<200 {
      let id = UserID(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max))
      let token = codec.token(after: id)
      #expect(token.wholeMatch(of: /[A-Za-z0-9_-]{43}/) != nil)
      #expect(codec.id(from: token) == id)
    }
  }

  @Test("a token with any character changed is refused")
  func tampered() {
    let token = Array(codec.token(after: UserID(high: 1, low: 2)))
    for index in token.indices.dropLast() {
      var changed = token
      changed[index] = changed[index] == "A" ? "B" : "A"
      #expect(codec.id(from: String(changed)) == nil)
    }
  }

  @Test("a token under another key is refused")
  func otherKey() {
    let other = PageTokenCodec(key: [UInt8](repeating: 8, count: PageTokenCodec.keyLength))
    #expect(codec.id(from: other.token(after: UserID(high: 1, low: 2))) == nil)
  }

  @Test(
    "other text is refused",
    arguments: [
      "", "x", "====", "\u{0}", String(repeating: "é", count: 43), String(repeating: "=", count: 43),
    ])
  func otherText(text: String) {
    #expect(codec.id(from: text) == nil)
  }
}
