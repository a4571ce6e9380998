import Testing
import UserDomain

@testable import UserAPI

@Suite struct PageTokenCodecTests {
  private let pages = PageTokenCodec(key: [UInt8](repeating: 7, count: PageTokenCodec.keyLength))
  private var codec: PageTokenCodec.Tokens { pages.tokens() }

  @Test("a token gives its id back, and is 43 characters that need no escaping")
  func roundTrip() {
    for _ in 0..<200 {
      let id = UserID(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max))
      let token = codec.token(after: .id(id))
      #expect(token.wholeMatch(of: /[A-Za-z0-9_-]{43}/) != nil)
      #expect(codec.position(from: token) == .id(id))
    }
  }

  @Test("a token with any character changed is refused")
  func tampered() {
    let token = Array(codec.token(after: .id(UserID(high: 1, low: 2))))
    for index in token.indices.dropLast() {
      var changed = token
      changed[index] = changed[index] == "A" ? "B" : "A"
      #expect(codec.position(from: String(changed)) == nil)
    }
  }

  @Test("a token under another key is refused")
  func otherKey() {
    let other = PageTokenCodec(key: [UInt8](repeating: 8, count: PageTokenCodec.keyLength)).tokens()
    #expect(codec.position(from: other.token(after: .id(UserID(high: 1, low: 2)))) == nil)
  }

  @Test(
    "other text is refused",
    arguments: [
      "", "x", "====", "\u{0}", String(repeating: "é", count: 43), String(repeating: "=", count: 43),
    ])
  func otherText(text: String) {
    #expect(codec.position(from: text) == nil)
  }

  @Test("a token of text or time gives its position back")
  func otherPositions() {
    let id = UserID(high: 1, low: 2)
    let texts = ["", "ada@example.com", String(repeating: "漢", count: 1_000)].map {
      ListingPosition.text($0, id)
    }
    let times = [Int64.min, -1, 0, .max].map {
      ListingPosition.time(Timestamp(microsecondsSinceEpoch: $0), id)
    }
    for position in texts + times {
      #expect(codec.position(from: codec.token(after: position)) == position)
    }
  }

  @Test("a token of another filter, of deleted users or of an export is refused")
  func otherQuery() {
    let kinds = [
      pages.tokens(), pages.tokens(filter: "name = a"), pages.tokens(filter: "name = b"),
      pages.tokens(showsDeleted: true), pages.tokens(filter: "name = a", showsDeleted: true),
      pages.exportTokens(),
    ]
    for (index, kind) in kinds.enumerated() {
      let token = kind.token(after: .id(UserID(high: 1, low: 2)))
      for (other, reader) in kinds.enumerated() {
        #expect((reader.position(from: token) == nil) == (index != other))
      }
    }
  }
}
