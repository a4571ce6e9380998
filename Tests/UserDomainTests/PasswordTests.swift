import Testing
import UserDomain

@Suite struct PasswordTests {
  @Test(
    "8 to 1,024 bytes of anything are accepted",
    arguments: ["12345678", "pass word", "пароль", "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}", "🔑🔑"])
  func accepted(text: String) throws {
    _ = try Password(text)
    _ = try Password(String(repeating: "x", count: 1_024))
  }

  @Test(
    "shorter ones are refused, counted before and after normalisation", arguments: ["1", "1234567", "ａａａ"])
  func tooShort(text: String) {
    let violation = #expect(throws: FieldViolation.self) { try Password(text) }
    #expect(violation?.field == "password")
    #expect(violation?.reason == .tooShort)
  }

  @Test("longer ones are refused, never truncated", arguments: [1_025, 1 << 20])
  func tooLong(count: Int) {
    let violation = #expect(throws: FieldViolation.self) {
      try Password(String(repeating: "x", count: count))
    }
    #expect(violation?.reason == .tooLong)
  }

  @Test("two ways to type the same characters are one password")
  func normalized() throws {
    #expect(
      try Password("cafe\u{301} au lait").normalized.utf8.elementsEqual(
        Password("café au lait").normalized.utf8))
    #expect(try Password("ｐａｓｓｗｏｒｄ").normalized == "password")
    #expect(try Password("ﬁﬁﬁﬁﬁﬁﬁﬁ").normalized == "fifififififififi")
  }

  @Test("a password and a hash never print themselves")
  func redacted() throws {
    let password = try Password("s3cret-s3cret")
    let hash = PasswordHash(phcString: "$argon2id$s3cret")
    var dumped = ""
    dump((password, hash), to: &dumped)
    for text in ["\(password)", String(reflecting: password), "\(hash)", String(reflecting: hash), dumped] {
      #expect(!text.contains("s3cret"))
    }
    #expect(
      !"\(NewUser(email: EmailAddress(trusted: "a@b"), name: UserName(trusted: ""), passwordHash: hash))"
        .contains("s3cret"))
  }
}
