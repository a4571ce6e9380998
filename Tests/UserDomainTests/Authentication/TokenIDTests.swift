import Testing
import UserDomain

@Suite struct TokenIDTests {
  @Test("an id is read back from its bytes and from its text")
  func roundTrip() {
    let id = TokenID.random()
    #expect(TokenID(bytes: id.bytes) == id && TokenID("\(id)") == id)
    #expect("\(id)".utf8.count == 22)
    #expect(TokenID(bytes: Array(0..<16).map { UInt8($0) })?.description == "AAECAwQFBgcICQoLDA0ODw")
    #expect(TokenID.random() != id)
  }

  @Test(
    "text of another length, or with other characters, is not an id",
    arguments: ["", "AAAA", "=", "AAECAwQFBgcICQoLDA0OD!"])
  func bad(text: String) {
    #expect(TokenID(text) == nil)
    #expect(TokenID(bytes: [UInt8](repeating: 0, count: 15)) == nil)
  }
}
