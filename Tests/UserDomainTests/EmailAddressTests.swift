import Testing
import UserDomain

@Suite struct EmailAddressTests {
  private static let local64 = String(repeating: "a", count: 64)
  /// An address of 254 bytes: 64, the @ and a domain of 189.
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
    "text that is not an address is refused with a reason",
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

  /// A label of 57 letters, whose A-label has the maximum length; one more letter is too long.
  private static let longForeign = "ü" + String(repeating: "b", count: 55)

  @Test(
    "an invalid domain is refused, and the message names the fault",
    arguments: [
      ("ada@", "must have a domain name after the @"), ("ada@[192.0.2.1]", "not an address in brackets"),
      ("ada@example..com", "empty label"), ("ada@example.com.", "empty label"),
      ("ada@-example.com", "begins or ends with a hyphen"),
      ("ada@exämple-.com", "begins or ends with a hyphen"),
      ("ada@exa_mple.com", "must not have '_'"), ("ada@exam\nple.com", "must not have U+000A"),
      ("ada@\(String(repeating: "b", count: 64)).com", "at most 63 bytes"),
      ("ada@\(longForeign)b.com", "at most 63 bytes"), ("ada@a。com", "must not have U+3002"),
      ("ada@a\u{2044}b.com", "must not have U+2044"), ("ada@💩.la", "must not have U+1F4A9"),
      ("ada@ａ.com", "must not have U+FF41"), ("ada@a☃.com", "must not have U+2603"),
      ("ada@\u{308}a.com", "combining mark"), ("ada@a.\u{308}a.com", "combining mark"),
      ("ada@a·b.com", "IDNA 2008"), ("ada@・.jp", "IDNA 2008"), ("ada@אa.com", "right-to-left"),
      ("ada@ab--ü.com", "third and fourth place"), ("ada@xn--ls8h.la", "not an A-label"),
      ("ada@xn--0.com", "not an A-label"), ("ada@XN--99999999.com", "not an A-label"),
    ])
  func domain(text: String, words: String) {
    let violation = #expect(throws: FieldViolation.self) { try EmailAddress(text) }
    #expect(violation?.reason == .malformed)
    #expect(violation?.description.contains(words) == true, "\(violation?.description ?? "")")
  }

  @Test(
    "domains that IDNA 2008 allows are accepted",
    arguments: [
      "ada@straße.de", "ada@faß.XN--P1AI", "ada@BÜCHER.example", "ada@bu\u{308}cher.example",
      "ada@xn--bcher-kva.de",
      "ada@l·l.cat", "ada@の・の.jp", "ada@א1.com", "ada@कॉम", "ada@r3---sn.example", "ada@xna--b.example",
      "ada@\(longForeign).com", "ada@\(String(repeating: "ก", count: 30)).th",
    ])
  func idna(text: String) throws {
    #expect(try EmailAddress(text).address == text)
  }

  @Test("an address is measured both with the A-labels of its domain and as given")
  func length() throws {
    let domain = "\(Self.longForeign).\(Self.longForeign).\(Self.longForeign)"
    // Each label has 57 bytes as given, 63 as an A-label; 191 and two dots.
    #expect(try EmailAddress("\(String(repeating: "a", count: 62))@\(domain)").address.utf8.count < 254)
    let violation = #expect(throws: FieldViolation.self) {
      try EmailAddress("\(String(repeating: "a", count: 63))@\(domain)")
    }
    #expect(violation?.reason == .tooLong && violation?.description.contains("A-labels") == true)
  }

  @Test("an account of earlier rules is found by its address, and no other syntax is accepted")
  func ofAccount() throws {
    #expect(try EmailAddress(ofAccount: " ada@💩.la ").uniquenessKey == "ada@💩.la")
    #expect(try EmailAddress(ofAccount: "ada@ＥXAMPLE.com").uniquenessKey == "ada@ｅxample.com")
    for text in ["", "ada", "ada@a..b", "a b@example.com", "ada\u{200b}@example.com"] {
      #expect(throws: FieldViolation.self) { try EmailAddress(ofAccount: text) }
    }
  }

  @Test(
    "letter case and composition make no difference to uniqueness",
    arguments: [
      ("ada@example.com", "ADA@Example.COM"), ("josé@example.es", "JOSÉ@EXAMPLE.ES"),
      ("jose\u{301}@example.es", "JOSÉ@example.es"), ("straße@example.de", "STRASSE@example.de"),
      ("straße@example.de", "STRAẞE@example.de"),
      ("οδός@example.gr", "ΟΔΌΣ@example.gr"), ("я@пример.рф", "Я@ПРИМЕР.РФ"),
      // Iota subscript: precomposed, decomposed in either order, and in upper case.
      ("ᾴ@example.gr", "α\u{301}\u{345}@example.gr"), ("ᾴ@example.gr", "α\u{345}\u{301}@example.gr"),
      ("ᾴ@example.gr", "ΆΙ@example.gr"), ("ᾴ@example.gr", "α\u{345}\u{301}@EXAMPLE.gr"),
      ("Ꭰ@example.com", "ꭰ@example.com"), ("ﬃ@example.com", "FFI@example.com"),
      ("ada@bücher.example", "ADA@XN--BCHER-KVA.example"),
      ("ada@BU\u{308}CHER.example", "ada@bücher.example"),
      ("ada@STRAẞE.de", "ada@straße.de"),
    ])
  func sameKey(one: String, other: String) throws {
    #expect(try EmailAddress(one).uniquenessKey == EmailAddress(other).uniquenessKey)
  }

  @Test("different addresses have different keys")
  func differentKeys() throws {
    let addresses = [
      "a.b@example.com", "ab@example.com", "a+b@example.com", "a@example.com", "à@example.com",
      "i@example.com", "ı@example.com", "ada@straße.de", "ada@strasse.de", "ada@νέος.gr", "ada@νέοσ.gr",
    ]
    #expect(Set(try addresses.map { try EmailAddress($0).uniquenessKey }).count == addresses.count)
  }
}
