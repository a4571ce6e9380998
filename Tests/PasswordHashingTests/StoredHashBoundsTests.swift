import Testing
import UserDomain

@testable import PasswordHashing

@Suite struct StoredHashBoundsTests {
  private static let hasher = Argon2idHasher(
    parameters: Argon2Parameters(unchecked: 64, iterations: 1, parallelism: 1),
    pool: HashingPool(limits: HashingLimits(memoryBudget: 1 << 30)))

  /// Base64 of 16, 20, 32 and 64 bytes, whose digits are also crypt(5)'s; a salt of yescrypt.
  private static let b16 = String(repeating: "A", count: 22)
  private static let y16 = "k2XAnEHBqQ1Ct2aMXFKNa/"
  private static let b20 = String(repeating: "A", count: 26) + "A"
  private static let b32 = String(repeating: "A", count: 43)
  private static let b64 = String(repeating: "A", count: 86)

  private static let b512 = String(repeating: "A", count: 683)

  private static func blowfish(_ cost: String) -> String {
    "$2b$\(cost)$" + String(repeating: "e", count: 53)
  }
  private static func scrypt(_ costs: String) -> String { "$scrypt$\(costs)$c2FsdA$\(b32)" }

  private static let atBounds: [String] = [
    blowfish("04"), blowfish("14"), scrypt("ln=1,r=8,p=1"), scrypt("ln=18,r=8,p=1"), scrypt("ln=17,r=8,p=2"),
    scrypt("ln=15,r=1,p=16"), scrypt("ln=262144,r=8,p=1"),
    "$firescrypt$ln=18,r=8,p=1$c2FsdA$\(b32)$Bw$\(b32)",
    "$pbkdf2-sha256$i=3000000,l=32$c2FsdA$\(b32)", "$pbkdf2-sha256$i=3000000$c2FsdA$\(b32)",
    "$pbkdf2-sha256$i=1500000,l=64$c2FsdA$\(b64)", "$pbkdf2-sha512$2000000$c2FsdA$\(b64)",
    "$pbkdf2$6000000$c2FsdA$\(b20)", "$pbkdf2-sha1$i=1300000,l=64$c2FsdA$\(b64)",
    "$pbkdf2-sha256$i=25000,l=512$c2FsdA$\(b512)", "pbkdf2_sha256$3000000$salt$\(b32)=",
    "$5$rounds=1000$salt$\(b32)", "$6$rounds=1000000$salt$\(b64)",
    "$y$jDT$\(y16)$\(b32)", "$y$j75$\(y16)$\(b32)", "$P$Isaltsalt" + b16, "$S$5saltsalt" + b32,
    "$sha256$i=8192,pf=e1BBU1NXT1JEfQ$c2FsdA$\(b32)", "$argon2d$v=19$m=524288,t=2,p=16$c29tZXNhbHQ$\(b32)",
    "$argon2id$v=19$m=104857,t=10,p=255$c29tZXNhbHQ$\(b32)",
  ]

  @Test(
    "a cost at its bound is accepted", arguments: atBounds)
  func accepted(text: String) throws {
    #expect(try Self.hasher.accept(foreign: text).phcString == text)
  }

  private static let beyondBounds: [(String, String)] = [
    (blowfish("31"), "bcrypt cost is 31; it must be 4 to 14"), (blowfish("15"), "bcrypt cost is 15;"),
    (blowfish("03"), "bcrypt cost is 3;"), ("bcrypt_sha256$" + blowfish("31"), "bcrypt cost is 31;"),
    ("$wp$2y$31$" + String(repeating: "e", count: 53), "bcrypt cost is 31;"),
    (scrypt("ln=30,r=8,p=1"), "scrypt log2(N) is 30; it must be 1 to 21"),
    (scrypt("ln=1073741824,r=8,p=1"), "scrypt N is 1073741824; it must be 2 to 2097152"),
    (scrypt("ln=16383,r=8,p=1"), "scrypt N is 16383; it must be a power of two"),
    (scrypt("ln=19,r=8,p=1"), "scrypt N × r × p is 4194304; it must be 2 to 2097152"),
    (scrypt("ln=18,r=8,p=2"), "scrypt N × r × p is 4194304;"),
    (scrypt("ln=16,r=1,p=1"), "scrypt N is 65536; with r = 1 it must be less than 65536"),
    (scrypt("ln=14,r=17,p=1"), "scrypt r is 17; it must be 1 to 16"),
    (scrypt("ln=14,r=0,p=1"), "scrypt r is 0;"), (scrypt("ln=14,r=8,p=17"), "scrypt p is 17;"),
    (scrypt("ln=14,r=8,p=9999999999999999999"), "scrypt p is too large; it must be 1 to 16"),
    ("scrypt$1073741824$salt$8$1$\(b64)==", "scrypt N is 1073741824;"),
    ("scrypt:1073741824:8:1$salt$00", "scrypt N is 1073741824;"),
    ("$firescrypt$ln=30,r=8,p=1$c2FsdA$\(b32)$Bw$\(b32)", "firescrypt log2(N) is 30;"),
    (
      "$pbkdf2-sha256$i=1000000000,l=32$c2FsdA$\(b32)",
      "pbkdf2 iterations is 1000000000; it must be 1 to 3000000"
    ),
    ("$pbkdf2-sha256$i=1500001,l=64$c2FsdA$\(b64)", "pbkdf2 iterations × blocks of output is 3000002;"),
    ("$pbkdf2-sha1$i=1500001,l=64$c2FsdA$\(b64)", "pbkdf2 iterations × blocks of output is 6000004;"),
    ("$pbkdf2-sha256$i=0,l=32$c2FsdA$\(b32)", "pbkdf2 iterations is 0;"),
    ("$pbkdf2-sha256$i=1,l=513$c2FsdA$\(b512)", "pbkdf2 length of the hash is 513; it must be 16 to 512"),
    ("$pbkdf2$6000001$c2FsdA$\(b20)", "pbkdf2 iterations is 6000001;"),
    ("$pbkdf2-sha512$2000001$c2FsdA$\(b64)", "pbkdf2 iterations is 2000001;"),
    ("pbkdf2_sha256$3000001$salt$\(b32)=", "pbkdf2 iterations is 3000001;"),
    ("pbkdf2:sha256:3000001$salt$00", "pbkdf2 iterations is 3000001;"),
    // ASP.NET Identity: 2^31 iterations.
    (
      "AQAAAAGAAAAAAAAAEA" + String(repeating: "A", count: 64) + "==",
      "ASP.NET Identity iterations is 2147483648;"
    ),
    ("$5$rounds=999$salt$\(b32)", "sha256crypt rounds is 999; it must be 1000 to 1000000"),
    ("$6$rounds=1000001$salt$\(b64)", "sha512crypt rounds is 1000001;"),
    ("$sha512-crypt$rounds=1000001$salt$\(b64)", "sha512crypt rounds is 1000001;"),
    ("$y$jET$\(y16)$\(b32)", "yescrypt memory in bytes is 536870912; it must be 1 to 268435456"),
    ("$y$jDU$\(y16)$\(b32)", "yescrypt r is 33; it must be 8 to 32"),
    ("$P$Jsaltsalt" + b16, "phpass cost is 21; it must be 7 to 20"),
    ("$H$4saltsalt" + b16, "phpass cost is 6;"),
    ("$S$Jsaltsalt" + b32, "drupal7 cost is 21;"),
    ("$sha256$i=8193,pf=e1BBU1NXT1JEfQ$c2FsdA$\(b32)", "sha256 rounds is 8193; it must be 1 to 8192"),
    (
      "$argon2i$v=19$m=524289,t=2,p=1$c29tZXNhbHQ$\(b32)",
      "argon2 memory in KiB is 524289; it must be 8 to 524288"
    ),
    (
      "$argon2id$v=19$m=524288,t=3,p=1$c29tZXNhbHQ$\(b32)",
      "argon2 memory in KiB × iterations is 1572864; it must be at most 1048576"
    ),
    (
      "$argon2id$v=19$m=524288,t=1,p=256$c29tZXNhbHQ$\(b32)", "argon2 parallelism is 256; it must be 1 to 255"
    ),
    ("$argon2d$v=19$m=65536,t=11,p=1$c29tZXNhbHQ$\(b32)", "argon2 iterations is 11; it must be 1 to 10"),
    (
      "argon2$argon2id$v=19$m=64,t=1,p=16$c29tZXNhbHQ$\(b32)",
      "argon2 memory in KiB is 64; it must be 128 to 524288"
    ),
    (String(repeating: "A", count: 1_025), "must be at most 1024 bytes"),
  ]

  @Test(
    "a cost beyond its bound is refused, and the reason has the bound", arguments: beyondBounds)
  func refused(text: String, reason: String) {
    let violation = #expect(throws: FieldViolation.self) { try Self.hasher.accept(foreign: text) }
    #expect(violation?.field == "password_hash")
    #expect(violation?.reason == .outOfRange)
    #expect(violation?.description.hasPrefix(reason) == true, "\(violation?.description ?? "")")
  }

  @Test("an Argon2 hash with this hasher's own parameters is accepted, whatever its work")
  func ownParameters() throws {
    let own = Argon2Parameters(unchecked: 524_288, iterations: 10, parallelism: 1)
    let hasher = Argon2idHasher(
      parameters: own, pool: HashingPool(limits: HashingLimits(memoryBudget: 512 << 20)))
    let text = "$argon2id$v=19$m=524288,t=10,p=1$c29tZXNhbHQ$\(Self.b32)"
    #expect(try hasher.accept(foreign: text).phcString == text)
    #expect(throws: FieldViolation.self) { try Self.hasher.accept(foreign: text) }
  }

  @Test(
    "by the estimate, no check at a bound takes more than 1.5 s, whatever the password",
    arguments: atBounds)
  func time(text: String) throws {
    let check = StoredHashCheck(stored: try StoredHashFormat.parse(text), isOwn: false)
    // With a second form and the escapes of PHP; 128 bytes; the longest; one that NFKC makes 18 times as long.
    for password in [
      " \u{fb01}'\"", "\u{fb01}'" + String(repeating: "\"", count: 124),
      String(repeating: "\"", count: 1_024),
      String(repeating: "\u{fdfa}", count: 341),
    ] {
      #expect(try check.time(of: Password(attempt: password)) <= .milliseconds(1_500))
    }
  }

  @Test(
    "where each round hashes the password, its maximum length depends on the rounds",
    arguments: [
      ("$1$salt$\(b16)", 511), ("$5$salt$\(b32)", 511), ("$6$salt$\(b64)", 511),
      ("$5$rounds=500000$salt$\(b32)", 511), ("$5$rounds=1000000$salt$\(b32)", 336),
      ("$6$rounds=1000000$salt$\(b64)", 500), ("$P$Bsaltsalt" + b16, 512), ("$S$Dsaltsalt" + b32, 512),
      ("$P$Isaltsalt" + b16, 393), ("$S$Isaltsalt" + b32, 302), ("$y$j9T$\(y16)$\(b32)", 511),
    ])
  func maximumPhraseLength(text: String, length: Int) throws {
    #expect(try StoredHashFormat.parse(text).maximumPhraseLength == length)
  }

  private static let unknownTexts: [String] = [
    "", "$", "{", "plain", "correcthorse!", "$2x$10$" + b32, "$2$10$" + b32, "$7$abc",
    "$gy$j9T$\(b16)$\(b32)", "{CRYPT}x",
    "{SHA}\(b20)", "$bcrypt-sha256$v=2,t=2b,r=12$x$y", "$hmac-md4$x$y", "5f4dcc3b5aa765d61d8327deb882cf99",
    "AgAA",
  ]

  @Test(
    "a text of no known format is refused", arguments: unknownTexts)
  func unknown(text: String) {
    let violation = #expect(throws: FieldViolation.self) { try Self.hasher.accept(foreign: text) }
    #expect(violation?.reason == .malformed)
    #expect(violation?.description == "is not in a known format of password hashes")
  }

  private static let malformedTexts: [(String, String)] = [
    ("$2b$10$" + String(repeating: "e", count: 52), "bcrypt:"),
    ("$2b$10$" + String(repeating: "+", count: 53), "bcrypt:"),
    (blowfish("4"), "bcrypt:"), (blowfish("1x"), "bcrypt:"), (blowfish("010"), "bcrypt:"),
    (scrypt("r=8,p=1,ln=14"), "scrypt:"), (scrypt("ln=14,r=8"), "scrypt:"),
    (scrypt("ln=-1,r=8,p=1"), "scrypt:"),
    (scrypt("ln=014,r=8,p=1"), "scrypt:"), ("$scrypt$ln=14,r=8,p=1$$\(b32)", "scrypt:"),
    ("$scrypt$ln=14,r=8,p=1$c2FsdA$\(b16)", "scrypt:"), ("$scrypt$ln=14,r=8,p=1$c2Fs!A$\(b32)", "scrypt:"),
    ("$scrypt$ln=14,r=8,p=1$c2FsdA$\(b32)==", "scrypt:"), ("$scrypt$ln=14,r=8,p=1$c2FsdB$\(b32)", "scrypt:"),
    ("scrypt$16384$salt$8$1$\(b32)=", "scrypt:"), ("scrypt:16384:8$salt$00", "scrypt:"),
    ("scrypt:16384:8:1$salt$" + String(repeating: "0g", count: 64), "scrypt:"),
    ("$firescrypt$ln=14,r=8,p=1$$\(b32)$$\(b32)", "firescrypt:"),
    ("$firescrypt$ln=14,r=8,p=1$c2FsdA$\(b32)$Bw$\(b64)", "firescrypt:"),
    ("$pbkdf2-sha256$i=1000,l=32$$\(b32)", "pbkdf2:"),
    ("$pbkdf2-sha256$i=1000,l=31$c2FsdA$\(b32)", "pbkdf2:"),
    ("$pbkdf2-sha3$i=1000,l=32$c2FsdA$\(b32)", "pbkdf2:"),
    ("$pbkdf2-sha224$i=1000,l=32$c2FsdA$\(b32)", "pbkdf2:"), ("$pbkdf2x$1000$c2FsdA$\(b20)", "pbkdf2:"),
    ("$pbkdf2-sha256$i=1000,l=32$c2Fs.A$\(b32)", "pbkdf2:"), ("$pbkdf2-sha256$1000$c2FsdA$\(b16)", "pbkdf2:"),
    ("pbkdf2_md5$1000$salt$\(b16)==", "pbkdf2:"), ("pbkdf2:sha256$salt$00", "pbkdf2:"),
    ("AAAA", "ASP.NET Identity:"), ("AQAAAAEAAAPo", "ASP.NET Identity:"),
    ("AQAAAAMAAAPoAAAAEA" + String(repeating: "A", count: 64) + "==", "ASP.NET Identity:"),
    ("$1$toolongsalt$\(b16)", "md5crypt:"), ("$1$salt$\(b16)A", "md5crypt:"),
    ("$5$sa:lt$\(b32)", "sha256crypt:"),
    ("$5$rounds=5000$\(b32)", "sha256crypt:"), ("$5$round=5000$salt$\(b32)", "sha256crypt:"),
    ("$6$salt$\(b32)", "sha512crypt:"), ("$6$rounds=05000$salt$\(b64)", "sha512crypt:"),
    ("$y$k9T$\(b16)$\(b32)", "yescrypt:"), ("$y$j9T$$\(b32)", "yescrypt:"), ("$y$j9T$ab$\(b32)", "yescrypt:"),
    ("$y$j9T$aaaaa$\(b32)", "yescrypt:"), ("$y$j9T0$\(b16)$\(b32)", "yescrypt:"),
    ("$y$j9T$\(b16)$\(b32)", "yescrypt:"), ("$y$j9z$\(b16)$\(b32)", "yescrypt:"),
    ("$P$Bsaltsalt" + b32, "phpass:"), ("$P$-saltsalt" + b16, "phpass:"), ("$S$Dsaltsalt" + b16, "drupal7:"),
    ("$md5$x$y", "md5:"), ("$md5$\(b32)", "md5:"), ("$sha1$pf=e1NBTFR9$c2FsdA$\(b20)", "sha1:"),
    ("$sha256$pf=!$c2FsdA$\(b32)", "sha256:"), ("$hmac-sha256$\(b32)$", "hmac-sha256:"), ("{SSHA}", "ssha:"),
    ("{SSHA}\(b16)", "ssha:"), ("{SSHA1}\(b32)", "ssha:"), ("{sSha384}\(b32)", "ssha:"),
    ("{ssha", "ssha:"), ("md5$$5f4dcc3b5aa765d61d8327deb882cf99", "md5:"),
    ("$argon2x$v=19$m=64,t=1,p=1$c29tZXNhbHQ$\(b32)", "argon2:"), ("has space", "must be printable ASCII"),
    ("$1$s\u{e4}lt$\(b16)", "must be printable ASCII"), ("$1$s\u{0}lt$\(b16)", "must be printable ASCII"),
  ]

  @Test(
    "a text that does not follow its format is refused, and the reason names the format",
    arguments: malformedTexts)
  func malformed(text: String, reason: String) {
    let violation = #expect(throws: FieldViolation.self) { try Self.hasher.accept(foreign: text) }
    #expect(violation?.reason == .malformed)
    #expect(violation?.description.hasPrefix(reason) == true, "\(violation?.description ?? "")")
  }
}
