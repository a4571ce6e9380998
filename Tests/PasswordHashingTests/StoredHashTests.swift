import Testing
import UserDomain

@testable import PasswordHashing

@Suite struct StoredHashTests {
  private let hasher = Argon2idHasher(
    parameters: Argon2Parameters(unchecked: 8, iterations: 1, parallelism: 1),
    pool: HashingPool(limits: HashingLimits()))

  private func verify(_ password: String, _ text: String) async throws -> PasswordVerification {
    let hash = try hasher.accept(foreign: text)
    return try await hasher.verify(Password(attempt: password), against: hash, for: .service)
  }

  @Test(
    "an imported hash matches its password, and no other, and needs a rehash",
    arguments: StoredHashVector.generated + StoredHashVector.published)
  func vectors(vector: StoredHashVector) async throws {
    #expect(try await verify(vector.password, vector.text) == .match(needsRehash: true))
    #expect(try await verify("x" + vector.password, vector.text) == .mismatch)
    #expect(try await verify(vector.password + "x", vector.text) == .mismatch)
  }

  @Test("a hash that has lost its end never matches", arguments: StoredHashVector.generated)
  func truncated(vector: StoredHashVector) throws {
    // Padding is optional.
    let end = vector.text.reversed().drop { $0 == "=" }.count
    for length in 0..<end {
      guard let stored = try? StoredHashFormat.parse(String(vector.text.prefix(length))) else { continue }
      #expect(try !stored.matches(Array(vector.password.utf8)), "\(length) bytes")
    }
  }

  @Test("a changed hash never matches another password, and never fails once it is accepted")
  func mutated() throws {
    var random = SplitMix(state: 42)
    var checked = 0
    for number in 0..<20_000 {
      let vectors = StoredHashVector.generated
      var bytes = Array(vectors[number % vectors.count].text.utf8)
      for _ in 0...Int.random(in: 0...2, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes.remove(at: place)
        case 1: bytes.insert(bytes.randomElement(using: &random) ?? 0, at: place)
        case 2: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
        default: bytes[place] = bytes.randomElement(using: &random) ?? 0
        }
      }
      guard let stored = try? StoredHashFormat.parse(String(decoding: bytes, as: UTF8.self)) else { continue }
      // Accepted costs take up to a second, so only some are checked.
      guard number % 10 == 0, stored.memoryBytes <= 4 << 20 else { continue }
      #expect(try !stored.matches(Array("wrong horse".utf8)), "\(String(decoding: bytes, as: UTF8.self))")
      checked += 1
    }
    #expect(checked > 200)
  }

  @Test("an imported hash takes at most half of the memory budget, and one like this hasher's any memory")
  func halfOfBudget() throws {
    let own = Argon2Parameters(unchecked: 24_576, iterations: 1, parallelism: 1)
    let hasher = Argon2idHasher(
      parameters: own, pool: HashingPool(limits: HashingLimits(memoryBudget: 32 << 20)))
    let hash = String(repeating: "A", count: 43)
    for text in [
      "$scrypt$ln=14,r=8,p=1$c2FsdA$\(hash)", "$y$j9T$k2XAnEHBqQ1Ct2aMXFKNa/$\(hash)",
      "$argon2i$v=19$m=16384,t=1,p=1$c29tZXNhbHQ$\(hash)",
      "$argon2id$v=19$m=24576,t=1,p=1$c29tZXNhbHQ$\(hash)",
    ] {
      #expect(try hasher.accept(foreign: text).phcString == text)
    }
    for text in [
      "$scrypt$ln=15,r=8,p=1$c2FsdA$\(hash)", "$y$jAT$k2XAnEHBqQ1Ct2aMXFKNa/$\(hash)",
      "$argon2i$v=19$m=32768,t=1,p=1$c29tZXNhbHQ$\(hash)",
    ] {
      let violation = #expect(throws: FieldViolation.self) { try hasher.accept(foreign: text) }
      #expect(violation?.reason == .outOfRange)
      #expect(
        violation?.description
          == "the hash takes 33554432 bytes of memory; it must be at most 16777216, half of the budget")
    }
  }

  @Test("what systems write by default fits the default budget")
  func defaultBudget() throws {
    let hash = String(repeating: "A", count: 43)
    // Kratos's Argon2id, passlib's and Werkzeug's scrypt, Firebase's.
    for text in [
      "$argon2id$v=19$m=131072,t=3,p=1$c29tZXNhbHQ$\(hash)", "$scrypt$ln=16,r=8,p=1$c2FsdA$\(hash)",
      "scrypt:32768:8:1$salt$" + String(repeating: "0", count: 128),
      "$firescrypt$ln=14,r=8,p=1$c2FsdA$\(hash)$Bw$\(hash)",
    ] {
      #expect(try hasher.accept(foreign: text).phcString == text)
    }
  }

  @Test("a parsed hash and a phrase never print themselves", arguments: StoredHashVector.generated)
  func redacted(vector: StoredHashVector) throws {
    let stored = try StoredHashFormat.parse(vector.text)
    let placeholder = "<\(type(of: stored))>"
    #expect("\(stored)" == placeholder)
    #expect(String(reflecting: stored) == placeholder)
    var dumped = ""
    dump(stored, to: &dumped)
    let phrase = Phrase(bytes: Array(vector.password.utf8), coversText: true)
    dump(phrase, to: &dumped)
    #expect(dumped == "- \(placeholder)\n- <Phrase>\n")
    #expect("\(phrase)" == "<Phrase>")
  }

  @Test("the memory of a check is what its parameters demand")
  func memory() throws {
    let hash = String(repeating: "A", count: 43)
    let memories = [
      ("$scrypt$ln=14,r=8,p=2$c2FsdA$\(hash)", 16 << 20),
      ("$scrypt$ln=16384,r=8,p=1$c2FsdA$\(hash)", 16 << 20),
      ("$y$j9T$k2XAnEHBqQ1Ct2aMXFKNa/$\(hash)", 16 << 20), ("$y$j75$k2XAnEHBqQ1Ct2aMXFKNa/$\(hash)", 1 << 20),
      ("$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$\(hash)", 64 << 20), ("$5$salt$\(hash)", 0),
    ]
    for (text, memory) in memories {
      #expect(try StoredHashFormat.parse(text).memoryBytes == memory, "\(text)")
    }
  }
}

@Suite struct StoredHashPasswordTests {
  private static let composed = "caf\u{e9}"
  private static let decomposed = "cafe\u{301}"

  private let hasher = Argon2idHasher(
    parameters: Argon2Parameters(unchecked: 64, iterations: 1, parallelism: 1),
    pool: HashingPool(limits: HashingLimits()))

  /// `{SSHA}` of a password, made with the salt `salt`.
  private func ssha(_ password: String) -> PasswordHash {
    let digest = DigestFunction.sha1.iterate(
      0, from: Array(password.utf8) + Array("salt".utf8), appending: [])
    return PasswordHash(phcString: "{SSHA}" + PHCString.base64(digest + Array("salt".utf8)))
  }

  @Test(
    "an imported hash matches the password as typed, and its NFKC form",
    arguments: [
      (composed, composed, true), (decomposed, decomposed, true), (composed, decomposed, true),
      (decomposed, composed, false), ("\u{fb01}sh", "\u{fb01}sh", true), ("fish", "\u{fb01}sh", true),
    ])
  func forms(hashed: String, typed: String, matches: Bool) async throws {
    let outcome = try await hasher.verify(Password(attempt: typed), against: ssha(hashed), for: .service)
    #expect(outcome == (matches ? .match(needsRehash: true) : .mismatch))
  }

  /// Argon2id of ``decomposed`` by another system.
  private func foreignArgon2id(memoryKiB: Int) throws -> PasswordHash {
    PasswordHash(
      phcString: try Argon2.hash(
        Self.decomposed, salt: [UInt8](repeating: 1, count: 16),
        parameters: Argon2Parameters(unchecked: memoryKiB, iterations: 1, parallelism: 1), tagLength: 32))
  }

  @Test("another system's Argon2id hash of text that is not NFKC matches, and needs a rehash")
  func foreignArgon2id() async throws {
    let foreign = try foreignArgon2id(memoryKiB: 72)
    #expect(
      try await hasher.verify(Password(attempt: Self.decomposed), against: foreign, for: .service)
        == .match(needsRehash: true))
    #expect(
      try await hasher.verify(Password(attempt: Self.composed), against: foreign, for: .service) == .mismatch)
  }

  @Test("a hash like this hasher's own is of the NFKC form, unless Django's name before it says otherwise")
  func likeOwn() async throws {
    let typed = try Password(attempt: Self.decomposed)
    let own = try await hasher.hash(typed, for: .service)
    #expect(try await hasher.verify(typed, against: own, for: .service) == .match(needsRehash: false))
    let foreign = try foreignArgon2id(memoryKiB: 64)
    #expect(try await hasher.verify(typed, against: foreign, for: .service) == .mismatch)
    let named = PasswordHash(phcString: "argon2" + foreign.phcString)
    #expect(try await hasher.verify(typed, against: named, for: .service) == .match(needsRehash: true))
  }

  @Test(
    "only Argon2id with this hasher's parameters needs no rehash",
    arguments: [("argon2id", false), ("django-argon2", true), ("argon2i", true), ("argon2d", true)])
  func argon2(name: String, needsRehash: Bool) async throws {
    let vector = try #require(StoredHashVector.generated.first { $0.name == name })
    let hash = try hasher.accept(foreign: vector.text)
    #expect(
      try await hasher.verify(Password(attempt: vector.password), against: hash, for: .service)
        == .match(needsRehash: needsRehash))
  }

  @Test(
    "a NUL does not end a password where a C library would",
    arguments: ["bcrypt-2b", "django-bcrypt", "md5crypt", "sha256crypt", "sha512crypt", "yescrypt"])
  func nul(name: String) throws {
    let vector = try #require(StoredHashVector.generated.first { $0.name == name })
    let stored = try StoredHashFormat.parse(vector.text)
    #expect(try stored.matches(Array(vector.password.utf8)))
    #expect(try !stored.matches(Array("\(vector.password)\u{0}".utf8)))
    #expect(try !stored.matches(Array("\(vector.password)\u{0}tail".utf8)))
  }

  @Test("the unused bits of a bcrypt salt do not matter")
  func bcryptPadding() throws {
    // The salt's last digit has two used bits: O and P are the same salt.
    let text = StoredHashVector.bcryptOf72
    #expect(text.dropFirst(28).first == "O")
    let stored = try StoredHashFormat.parse(text.prefix(28) + "P" + text.dropFirst(29))
    #expect(try stored.matches([UInt8](repeating: 0x78, count: 72)))
  }

  @Test(
    "a password longer than its library takes is a wrong one",
    arguments: ["sha512crypt", "yescrypt"])
  func long(name: String) throws {
    let vector = try #require(StoredHashVector.generated.first { $0.name == name })
    #expect(try !StoredHashFormat.parse(vector.text).matches([UInt8](repeating: 0x78, count: 1_024)))
  }
}
