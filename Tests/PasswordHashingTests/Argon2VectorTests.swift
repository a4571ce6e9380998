import CArgon2
import Testing
import UserDomain

@testable import PasswordHashing

/// Tests published vectors, which prove that the stored hashes are standard Argon2id.
@Suite struct Argon2VectorTests {
  /// The vectors of github.com/P-H-C/phc-winner-argon2, src/test.c, "Argon2id v=19".
  private static let reference: [(password: String, encoded: String)] = [
    ("password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
    ("password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"),
    ("password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"),
    ("password", "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$9qWtwbpyPd3vm1rB1GThgPzZ3/ydHL92zKL+15XZypg"),
    ("password", "$argon2id$v=19$m=65536,t=4,p=1$c29tZXNhbHQ$kCXUjmjvc5XMqQedpMTsOv+zyJEf5PhtGiUghW9jFyw"),
    (
      "differentpassword",
      "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94"
    ),
    ("password", "$argon2id$v=19$m=65536,t=2,p=1$ZGlmZnNhbHQ$vfMrBczELrFdWP0ZsfhWsRPaHppYdP3MVEMIVlqoFBw"),
  ]

  @Test("the reference implementation's hashes verify, and only for their passwords", arguments: reference)
  func referenceHashes(password: String, encoded: String) async throws {
    let hasher = try Argon2idHasher()
    let hash = PasswordHash(phcString: encoded)
    #expect(
      try await hasher.verify(Password(attempt: password), against: hash, for: .service)
        == .match(needsRehash: true))
    #expect(
      try await hasher.verify(Password(attempt: password + "x"), against: hash, for: .service) == .mismatch)
  }

  @Test("we make the reference implementation's hash of the same salt")
  func sameHash() throws {
    let encoded = try Argon2.hash(
      "password", salt: Array("somesalt".utf8),
      parameters: Argon2Parameters(unchecked: 65_536, iterations: 2, parallelism: 1), tagLength: 32)
    #expect(encoded == Self.reference[0].encoded)
  }

  @Test("the linked library computes RFC 9106 §5.3")
  func rfc9106() {
    var password = [UInt8](repeating: 1, count: 32)
    var salt = [UInt8](repeating: 2, count: 16)
    var secret = [UInt8](repeating: 3, count: 8)
    var associated = [UInt8](repeating: 4, count: 12)
    var tag = [UInt8](repeating: 0, count: 32)
    let code = password.withUnsafeMutableBufferPointer { password in
      salt.withUnsafeMutableBufferPointer { salt in
        secret.withUnsafeMutableBufferPointer { secret in
          associated.withUnsafeMutableBufferPointer { associated in
            tag.withUnsafeMutableBufferPointer { tag in
              var context = argon2_context()
              (context.out, context.outlen) = (tag.baseAddress, 32)
              (context.pwd, context.pwdlen) = (password.baseAddress, 32)
              (context.salt, context.saltlen) = (salt.baseAddress, 16)
              (context.secret, context.secretlen) = (secret.baseAddress, 8)
              (context.ad, context.adlen) = (associated.baseAddress, 12)
              (context.t_cost, context.m_cost, context.lanes, context.threads) = (3, 32, 4, 4)
              context.version = ARGON2_VERSION_13.rawValue
              return argon2id_ctx(&context)
            }
          }
        }
      }
    }
    #expect(code == ARGON2_OK.rawValue)
    let expected: [UInt8] = [
      0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c, 0x08, 0xc0, 0x37, 0xa3, 0x4a, 0x8b, 0x53, 0xc9,
      0xd0, 0x1e, 0xf0, 0x45, 0x2d, 0x75, 0xb6, 0x5e, 0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01, 0xe6, 0x59,
    ]
    #expect(tag == expected)
  }
}
