import Synchronization
import Testing
import UserDomain

@testable import PasswordHashing

@Suite struct StoredHashCheckTests {
  /// A hash of every phrase, which takes 0.6 s, and records the phrases.
  private final class RecordingHash: StoredHash {
    let phraseRule: PhraseRule
    let maximumPhraseLength: Int
    private let recorded = Mutex<[String]>([])

    init(_ phraseRule: PhraseRule = .asTyped, maximumPhraseLength: Int = .max) {
      self.phraseRule = phraseRule
      self.maximumPhraseLength = maximumPhraseLength
    }

    var memoryBytes: Int { 0 }
    var phrases: [String] { recorded.withLock { $0 } }

    func time(forLength length: Int) -> Duration { .milliseconds(600) }

    func matches(_ phrase: [UInt8]) throws(UserError) -> Bool {
      recorded.withLock { $0.append(String(decoding: phrase, as: UTF8.self)) }
      return true
    }
  }

  private func run(_ password: String, _ text: String) throws -> PasswordVerification {
    try StoredHashCheck(stored: StoredHashFormat.parse(text), isOwn: false).run(Password(attempt: password))
  }

  @Test(
    "a password with quotes, signs and spaces matches as WordPress and phpBB have hashed it",
    arguments: zip(StoredHashVector.php, [false, false, true]))
  func php(vector: StoredHashVector, coversText: Bool) throws {
    #expect(try run(vector.password, vector.text) == .match(needsRehash: coversText))
    #expect(try run(vector.password.replacing("'", with: "\""), vector.text) == .mismatch)
    #expect(try run(vector.password.replacing("5", with: "6"), vector.text) == .mismatch)
  }

  @Test("a hash of WordPress is kept if spaces around the password did not count")
  func trimmed() throws {
    for vector in StoredHashVector.php.prefix(2) {
      let trimmed = "it's \"5 < 6\" & \\"
      #expect(try run(trimmed, vector.text) == .match(needsRehash: true))
      #expect(try run(trimmed + "\u{b}", vector.text) == .match(needsRehash: false))
      // A form feed is not a space of PHP's trim().
      #expect(try run(trimmed + "\u{c}", vector.text) == .mismatch)
    }
  }

  @Test(
    "bcrypt uses 72 bytes of a password, and its hash is kept if there are more",
    arguments: [
      (71, PasswordVerification.mismatch), (72, .match(needsRehash: true)), (73, .match(needsRehash: false)),
      (1_024, .match(needsRehash: false)),
    ])
  func bcrypt(length: Int, expected: PasswordVerification) throws {
    let password = String(repeating: "x", count: length)
    #expect(try run(password, StoredHashVector.bcryptOf72) == expected)
  }

  @Test(
    "a password with a NUL matches no imported hash",
    arguments: StoredHashVector.generated + StoredHashVector.php + [
      StoredHashVector("bcrypt-72", String(repeating: "x", count: 72), StoredHashVector.bcryptOf72)
    ])
  func nul(vector: StoredHashVector) throws {
    #expect(try run(vector.password, vector.text) != .mismatch)
    #expect(try run("\(vector.password)\u{0}", vector.text) == .mismatch)
    #expect(try run("\(vector.password)\u{0}tail", vector.text) == .mismatch)
    #expect(try run("\u{0}\(vector.password)", vector.text) == .mismatch)
  }

  @Test(
    "what cannot match is hashed nevertheless: with another byte for a NUL, and cut to the maximum length")
  func work() throws {
    for (password, phrase) in [("a\u{0}b", "a\u{1}b"), ("abcde", "abcd"), ("\u{0}", "\u{1}")] {
      let hash = RecordingHash(maximumPhraseLength: 4)
      let outcome = try StoredHashCheck(stored: hash, isOwn: false).run(Password(attempt: password))
      #expect(outcome == .mismatch)
      #expect(hash.phrases == [phrase])
    }
    let hash = RecordingHash(maximumPhraseLength: 4)
    let outcome = try StoredHashCheck(stored: hash, isOwn: false).run(Password(attempt: "abcd"))
    #expect(outcome == .match(needsRehash: true))
  }

  private static let long = String(repeating: "x", count: 124)

  @Test(
    "the second form of a password is tried up to 128 bytes, and as many phrases as take 1.5 s",
    arguments: [
      (PhraseRule.asTyped, "horse", ["horse"]), (.asTyped, "\u{fb01}sh", ["\u{fb01}sh", "fish"]),
      (.asTyped, "\u{fb01}x" + long, ["\u{fb01}x" + long, "fix" + long]),
      (.asTyped, "\u{fb01}xx" + long, ["\u{fb01}xx" + long]),
      // 12 bytes, whose NFKC form has 132.
      (.asTyped, "\u{fdfa}\u{fdfa}\u{fdfa}\u{fdfa}", ["\u{fdfa}\u{fdfa}\u{fdfa}\u{fdfa}"]),
      (.wordPress, " it's", ["it's", "it\\'s"]), (.wordPress, "its", ["its"]),
      (.wordPress, "\u{fb01}'", ["\u{fb01}'", "\u{fb01}\\'"]), (.phpass, " its", [" its", "its"]),
      (.phpass, "it's", ["it's", "it\\'s"]), (.phpBB, "a<b>'\"&c", ["a<b>'\"&c", "a&lt;b&gt;'&quot;&amp;c"]),
      (.bcrypt, long, [String(long.prefix(72))]),
    ])
  func phrases(rule: PhraseRule, password: String, expected: [String]) throws {
    let check = StoredHashCheck(stored: RecordingHash(rule), isOwn: false)
    let phrases = check.phrases(of: try Password(attempt: password))
    #expect(phrases.map { String(decoding: $0.bytes, as: UTF8.self) } == expected)
    #expect(try check.time(of: Password(attempt: password)) == .milliseconds(600 * expected.count))
  }

  @Test("a hash like the hasher's own is checked once, and a NUL counts in it")
  func own() throws {
    for password in ["\u{fb01}sh", "a\u{0}b"] {
      let hash = RecordingHash()
      let password = try Password(attempt: password)
      #expect(try StoredHashCheck(stored: hash, isOwn: true).run(password) == .match(needsRehash: false))
      #expect(hash.phrases == [password.normalized])
    }
  }

  @Test("Argon2 is first tried in this service's form, other formats first as typed")
  func order() throws {
    let password = try Password(attempt: "\u{fb01}sh")
    for name in ["argon2i", "argon2id", "django-argon2", "ssha"] {
      let vector = try #require(StoredHashVector.generated.first { $0.name == name })
      let check = StoredHashCheck(stored: try StoredHashFormat.parse(vector.text), isOwn: false)
      let first = check.phrases(of: password).first.map { String(decoding: $0.bytes, as: UTF8.self) }
      #expect(first?.utf8.count == (name == "ssha" ? 5 : 4))
    }
  }

  @Test(
    "scheme names of LDAP have either case",
    arguments: ["ssha", "ssha256", "ssha384", "ssha512"])
  func scheme(name: String) throws {
    let vector = try #require(StoredHashVector.generated.first { $0.name == name })
    let end = try #require(vector.text.firstIndex(of: "}"))
    for scheme in [name, name.uppercased(), "s" + name.uppercased().dropFirst()] {
      let text = "{\(scheme)" + vector.text[end...]
      #expect(try run(vector.password, text) == .match(needsRehash: true))
    }
  }
}
