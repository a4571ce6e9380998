import Testing

@testable import UserDomain

@Suite struct UserNameTests {
  @Test(
    "any script is kept as given, up to 256 characters",
    arguments: [
      "", "Ada Lovelace", " padded ", "李小龙", "محمد", "👩‍👩‍👧‍👦", "O'Neil; DROP TABLE users; --",
      String(repeating: "x", count: 256), String(repeating: "😀", count: 256),
    ])
  func accepted(text: String) throws {
    #expect(try UserName(text).text == text)
  }

  @Test(
    "longer names are refused, however the bytes are spread",
    arguments: [
      String(repeating: "x", count: 257), String(repeating: "😀", count: 257),
      // One grapheme cluster with a million combining marks.
      "x" + String(repeating: "\u{301}", count: 1 << 20), String(repeating: "x", count: 1 << 20),
    ])
  func tooLong(text: String) {
    let violation = #expect(throws: FieldViolation.self) { try UserName(text) }
    #expect(violation?.field == "name")
    #expect(violation?.reason == .tooLong)
  }

  @Test(
    "control characters are refused",
    arguments: ["\u{0}", "\n", "\r", "\t", "\u{1b}", "\u{7f}", "\u{85}", "\u{2028}"])
  func control(character: String) {
    for text in [character, "a" + character, character + "a", "a" + character + "a"] {
      #expect(throws: FieldViolation.self) { try UserName(text) }
    }
  }

  @Test("the bytes of a name never pass for valid what its characters show to be invalid")
  func quickCheck() throws {
    for value in UInt32(0)..<0x2100 {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let character = String(Character(scalar))
      for text in [character, "a" + character + "b", String(repeating: character, count: 256)]
      where UserName.isShortVisibleASCII(text) {
        #expect(scalar.isASCII)
        try UserName.check(text)
      }
    }
    for count in 0..<600 {
      let text = String(repeating: "x", count: count)
      #expect(UserName.isShortVisibleASCII(text) == ((try? UserName.check(text)) != nil))
    }
  }
}
