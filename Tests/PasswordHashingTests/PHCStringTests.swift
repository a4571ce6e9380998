import Testing

@testable import PasswordHashing

@Suite struct PHCStringTests {
  private static let salt = "c29tZXNhbHQ"
  private static let tag = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

  @Test("costs and lengths are read")
  func parses() throws {
    let hash = try PHCString("$argon2id$v=19$m=65536,t=2,p=1$\(Self.salt)$\(Self.tag)")
    #expect(hash.parameters == Argon2Parameters(unchecked: 65_536, iterations: 2, parallelism: 1))
    #expect(hash.saltLength == 8)
    #expect(hash.tagLength == 32)
  }

  @Test(
    "other formats and costs beyond the bounds are refused",
    arguments: [
      "", "$", "$$$$$", "plain", "$2b$12$abcdefghijklmnopqrstuv",
      "$argon2$v=19$m=65536,t=2,p=1$\(salt)$\(tag)",
      "$argon2id$v=16$m=65536,t=2,p=1$\(salt)$\(tag)", "$argon2id$m=65536,t=2,p=1$\(salt)$\(tag)",
      "$argon2id$v=19$m=4194304,t=2,p=1$\(salt)$\(tag)", "$argon2id$v=19$m=524289,t=2,p=1$\(salt)$\(tag)",
      "$argon2id$v=19$m=65536,t=11,p=1$\(salt)$\(tag)", "$argon2id$v=19$m=65536,t=0,p=1$\(salt)$\(tag)",
      "$argon2id$v=19$m=65536,t=2,p=256$\(salt)$\(tag)", "$argon2id$v=19$m=64,t=2,p=16$\(salt)$\(tag)",
      "$argon2id$v=19$m=-1,t=2,p=1$\(salt)$\(tag)", "$argon2id$v=19$m=+65536,t=2,p=1$\(salt)$\(tag)",
      "$argon2id$v=19$m=065536,t=2,p=1$\(salt)$\(tag)",
      "$argon2id$v=19$m=99999999999999999999,t=2,p=1$\(salt)$\(tag)",
      "$argon2id$v=19$t=2,m=65536,p=1$\(salt)$\(tag)", "$argon2id$v=19$m=65536,t=2,p=1,x=1$\(salt)$\(tag)",
      "$argon2id$v=19$m=65536,t=2,p=1$\(salt)", "$argon2id$v=19$m=65536,t=2,p=1$\(salt)$\(tag)$",
      "$argon2id$v=19$m=65536,t=2,p=1$$\(tag)", "$argon2id$v=19$m=65536,t=2,p=1$\(salt)$",
      "$argon2id$v=19$m=65536,t=2,p=1$\(salt)=$\(tag)", "$argon2id$v=19$m=65536,t=2,p=1$c29t ZXNhbHQ$\(tag)",
      "$argon2id$v=19$m=65536,t=2,p=1$\(salt)$\(String(repeating: "A", count: 1 << 16))",
    ])
  func refused(text: String) {
    #expect(throws: StoredHashError.self) { try PHCString(text) }
  }
}
