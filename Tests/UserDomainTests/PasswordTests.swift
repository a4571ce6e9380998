import Testing
import UserDomain

@Suite struct PasswordTests {
  private let policy = PasswordPolicy()

  private func check(
    _ text: String, email: String = "ada@example.com", name: String = "Ada", _ policy: PasswordPolicy? = nil
  ) throws -> Password {
    try (policy ?? self.policy).check(text, email: EmailAddress(email), name: UserName(name))
  }

  private func reason(
    _ text: String, email: String = "ada@example.com", name: String = "Ada", _ policy: PasswordPolicy? = nil
  ) -> FieldViolation.Reason? {
    do {
      _ = try check(text, email: email, name: name, policy)
      return nil
    } catch {
      let violation = error as? FieldViolation
      #expect(violation?.field == "password")
      return violation?.reason
    }
  }

  @Test(
    "8 characters and more of anything are accepted, up to 1,024 bytes",
    arguments: [
      "1zwölf3!", "pass word", "парольчик", "🔑🔑🔑🔑🔑🔑🔑🔑", "        x", "correct horse",
      String(repeating: "é", count: 512),
    ])
  func accepted(text: String) throws {
    _ = try check(text)
  }

  @Test(
    "shorter passwords are refused, counted in characters after normalisation",
    arguments: ["1", "1zwölf3", "пароль", "🔑🔑", "cafe\u{301} au", "ｘｙｚｘｙｚｘ"])
  func tooShort(text: String) {
    #expect(reason(text) == .tooShort)
    #expect(reason(text + "qw7", PasswordPolicy(minimumLength: 64)) == .tooShort)
  }

  @Test("the minimum is a setting within its bounds")
  func minimum() {
    #expect(reason("1zwö7!", PasswordPolicy(minimumLength: 6)) == nil)
    #expect(reason("1zw7!", PasswordPolicy(minimumLength: 1)) == .tooShort)
    #expect(PasswordPolicy(minimumLength: 1_000).minimumLength == 64)
    // A ligature becomes two characters.
    #expect(reason("ﬁ3x7", PasswordPolicy(minimumLength: 6)) == .tooShort)
    #expect(reason("ﬁ3ﬁ7", PasswordPolicy(minimumLength: 6)) == nil)
  }

  @Test("longer passwords are refused, never truncated", arguments: [1_025, 1 << 20])
  func tooLong(count: Int) {
    #expect(reason(String(repeating: "x", count: count)) == .tooLong)
  }

  @Test(
    "control characters and line separators are refused",
    arguments: ["\u{0}", "\u{7}", "\u{1b}", "\u{7f}", "\u{85}", "\u{2028}", "\n", "\r\n", "\t"])
  func control(text: String) {
    #expect(reason("correct\(text)horse") == .forbiddenCharacter)
  }

  @Test(
    "the commonest passwords are refused, in any letter case and width",
    arguments: [
      "password", "12345678", "123456789", "iloveyou", "qwertyuiop", "1q2w3e4r5t", "PassWord1", "Football",
      "changeme",
      "ｐａｓｓｗｏｒｄ", "!qaz1qaz", "zzzzzzzzzz", "p@ssw0rd", "administrator",
    ])
  func common(text: String) {
    #expect(reason(text) == .tooCommon)
  }

  @Test("the list is searched to its ends, and parts of lines are not found")
  func listEnds() {
    let short = PasswordPolicy(minimumLength: 6)
    for word in ["!@#$%^", "monkey", "dragon", "zzzzzz", "123456"] {
      #expect(reason(word, short) == .tooCommon)
    }
    for word in ["monkey\ndragon", "!@#$%", "ord123", "zzzzzzzzzzz", "~~~~~~~", "   !!!!"] {
      #expect(reason(word, short) != .tooCommon)
    }
  }

  @Test(
    "the address, its local part, the name and the service's name are refused, also with digits and signs around",
    arguments: [
      "ada.lovelace@example.com", "ADA.Lovelace@example.com", "ada.lovelace", "Ada.Lovelace1815",
      "AdaLovelace",
      "adalovelace!!", "Augusta King", "augusta-king1",
      "user-service",
      "UserService2026", "id.example.org", "12ada_lovelace34",
    ])
  func similar(text: String) {
    let policy = PasswordPolicy(serviceNames: ["user-service", "https://id.example.org", "id.example.org"])
    #expect(reason(text, email: "ada.lovelace@example.com", name: "Augusta King", policy) == .tooSimilar)
  }

  @Test("a password that merely contains the name is allowed, and names under three letters are ignored")
  func notSimilar() {
    #expect(reason("ada likes tea", email: "ada@example.com", name: "Ada") == nil)
    #expect(reason("x9$81#2!@7", email: "x@example.com", name: "X") == nil)
    #expect(reason("ada12345", email: "ada@example.com", name: "") == .tooSimilar)
    #expect(reason("correct horse", email: "a@example.com", name: "") == nil)
  }

  @Test("two ways to type the same characters are one password")
  func normalized() throws {
    #expect(
      try check("cafe\u{301} au lait").normalized.utf8.elementsEqual(
        check("café au lait").normalized.utf8))
    #expect(try check("ｃｏｒｒｅｃｔ　ｈｏｒｓｅ").normalized == "correct horse")
    #expect(try check("ﬁﬁﬁﬁﬁﬁﬁﬁ").normalized == "fifififififififi")
  }

  @Test(
    "the text as given is kept beside the normalised one, byte by byte",
    arguments: ["cafe\u{301} au lait", "café au lait"])
  func asGiven(text: String) throws {
    #expect(try check(text).asGiven.utf8.elementsEqual(text.utf8))
    #expect(try Password(attempt: text).asGiven.utf8.elementsEqual(text.utf8))
  }

  @Test("a password to sign in with may break the rules for new ones, but not be empty or too long")
  func attempts() throws {
    for text in ["x", "password", "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}"] {
      #expect(try Password(attempt: text).normalized == text)
    }
    #expect(throws: FieldViolation.self) { try Password(attempt: "") }
    #expect(throws: FieldViolation.self) { try Password(attempt: String(repeating: "x", count: 1_025)) }
  }

  @Test("a password, a hash and what has them never print themselves")
  func redacted() throws {
    let password = try check("s3cret-s3cret")
    let hash = PasswordHash(phcString: "$argon2id$s3cret")
    var row = ImportRow()
    (row.password, row.passwordHash) = ("s3cret", "s3cret")
    let proof = PasswordProof(
      currentPassword: "s3cret", isRequired: true, network: PeerNetwork(peer: "ipv4:192.0.2.1:1"))
    let update = UserUpdate(password: "s3cret")
    let values: [any Sendable] = [password, hash, row, proof, update]
    for value in values {
      var dumped = ""
      dump(value, to: &dumped)
      let placeholder = "<\(type(of: value))>"
      #expect(dumped == "- \(placeholder)\n")
      #expect("\(value)" == placeholder)
      #expect(String(reflecting: value) == placeholder)
    }
    #expect(
      !"\(NewUser(email: EmailAddress(trusted: "a@b"), name: UserName(trusted: ""), passwordHash: hash))"
        .contains("s3cret"))
  }
}
