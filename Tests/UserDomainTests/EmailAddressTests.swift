import Testing
import UserDomain

@Suite struct EmailAddressTests {
  private static let local64 = String(repeating: "a", count: 64)
  /// 254 bytes: 64, the @ and a domain of 189.
  private static let longest =
    "\(local64)@\(String(repeating: "b", count: 63)).\(String(repeating: "c", count: 63)).\(String(repeating: "d", count: 61))"

  @Test(
    "ordinary, long and foreign addresses are accepted as given",
    arguments: [
      "a@b", "ada@example.com", "Ada.Lovelace+news@Example.CO.UK", "o'neil@example.org", "x_y-z@a-b.example",
      "!#$%&'*+-/=?^_`{|}~@example.com", "1@2.3", "josé@example.es", "用户@例子.公司", "δοκιμή@παράδειγμα.δοκιμή",
      longest,
    ])
  func accepted(text: String) throws {
    #expect(try EmailAddress(text).address == text)
  }

  @Test(
    "surrounding white space is removed",
    arguments: [
      " ada@example.com", "ada@example.com\n", "\t ada@example.com \r\n", "\u{3000}ada@example.com\u{a0}",
    ])
  func trimmed(text: String) throws {
    #expect(try EmailAddress(text).address == "ada@example.com")
  }

  @Test(
    "what is no address is refused with a reason",
    arguments: [
      ("", .required), ("   ", .required), ("ada", .malformed), ("@example.com", .malformed),
      ("ada@", .malformed),
      ("a@b@c", .malformed), ("a b@example.com", .malformed), (".a@example.com", .malformed),
      ("a.@example.com", .malformed), ("a..b@example.com", .malformed), ("\"a b\"@example.com", .malformed),
      ("ada@[192.0.2.1]", .malformed), ("ada@example..com", .malformed), ("ada@.example.com", .malformed),
      ("ada@example.com.", .malformed), ("ada@-example.com", .malformed), ("ada@example-.com", .malformed),
      ("ada@exa_mple.com", .malformed), ("ada\u{0}@example.com", .malformed),
      ("ada@example.com\u{0}", .malformed),
      ("ada@exam\nple.com", .malformed), ("ada\u{200b}@example.com", .forbiddenCharacter),
      ("ada\u{202e}@example.com", .forbiddenCharacter), ("ada\u{3164}@example.com", .forbiddenCharacter),
      ("ada\u{fe0f}@example.com", .forbiddenCharacter), ("ada\u{34f}@example.com", .forbiddenCharacter),
      ("ada@exa\u{a0}mple.com", .forbiddenCharacter),
      ("'; DROP TABLE users; --@example.com", .malformed), ("a\(local64)@example.com", .tooLong),
      ("x\(longest)", .tooLong), ("\(longest)d", .tooLong),
      ("ada@\(String(repeating: "b", count: 64)).com", .malformed),
      (String(repeating: "é", count: 33) + "@example.com", .tooLong),
      (String(repeating: "a", count: 1 << 20), .tooLong), (String(repeating: "@", count: 1 << 20), .tooLong),
    ] as [(String, FieldViolation.Reason)])
  func refused(text: String, reason: FieldViolation.Reason) {
    let violation = #expect(throws: FieldViolation.self) { try EmailAddress(text) }
    #expect(violation?.field == "email")
    #expect(violation?.reason == reason)
  }

  @Test(
    "letter case makes no difference to uniqueness",
    arguments: [
      ("ada@example.com", "ADA@Example.COM"), ("josé@example.es", "JOSÉ@EXAMPLE.ES"),
      ("jose\u{301}@example.es", "JOSÉ@example.es"), ("straße@example.de", "STRASSE@example.de"),
      ("straße@example.de", "STRAẞE@example.de"),
      ("οδός@example.gr", "ΟΔΌΣ@example.gr"), ("я@пример.рф", "Я@ПРИМЕР.РФ"),
    ])
  func sameKey(one: String, other: String) throws {
    #expect(try EmailAddress(one).uniquenessKey == EmailAddress(other).uniquenessKey)
  }

  @Test("different addresses have different keys")
  func differentKeys() throws {
    let addresses = [
      "a.b@example.com", "ab@example.com", "a+b@example.com", "a@example.com", "à@example.com",
    ]
    #expect(Set(try addresses.map { try EmailAddress($0).uniquenessKey }).count == addresses.count)
  }
}
