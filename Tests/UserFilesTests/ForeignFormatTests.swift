import Foundation
import Testing
import UserServiceClient

@testable import UserFiles

/// What is kept of the users of other systems.
@Suite struct ForeignFormatTests {
  private static func row(_ text: String, _ format: ImportFormat) throws -> UserFileRow {
    var parser = UserFileParser(format)
    let rows = try parser.append("[\(text)]".utf8) + parser.finish()
    return try #require(rows.count == 1 ? rows[0] : nil)
  }

  private static func user(_ text: String, _ format: ImportFormat) throws -> ImportedUser {
    try row(text, format).user.get()
  }

  private static func problem(_ text: String, _ format: ImportFormat) throws -> String? {
    if case .failure(let problem) = try row(text, format).user { problem.description } else { nil }
  }

  private static let id = "0190163d-8694-739b-aea5-966c26f8ad91"

  @Test(
    "a user without an e-mail address is rejected",
    arguments: [
      (#"{"localId": "x", "phoneNumber": "+1"}"#, ImportFormat.firebase(nil)),
      (#"{"email": ""}"#, .firebase(nil)),
      (#"{"traits": {"username": "ada"}}"#, .kratos), (#"{"user_id": "sms|1"}"#, .auth0),
      (#"{"username": "service-account-x", "email": null}"#, .keycloak),
    ])
  func withoutAddress(text: String, format: ImportFormat) throws {
    #expect(try Self.problem(text, format) == "the user has no e-mail address")
  }

  @Test(
    "values of other types are rejected by name",
    arguments: [
      (#"{"email": 1}"#, ImportFormat.firebase(nil), "email is not a string"),
      (#"{"email": "a", "disabled": "no"}"#, .firebase(nil), "disabled is neither true nor false"),
      (#"{"email": "a", "createdAt": "yesterday"}"#, .firebase(nil), "createdAt is not a whole number"),
      (#"{"email": "a", "createdAt": 1e3}"#, .firebase(nil), "createdAt is not a whole number"),
      (
        #"{"email": "a", "createdAt": 99999999999999999999}"#, .firebase(nil),
        "createdAt is not a whole number"
      ),
      (#"{"traits": {"email": []}}"#, .kratos, "email is not a string"),
      (
        #"{"traits": {"email": "a"}, "state": "gone"}"#, .kratos,
        "status 'gone' is neither active nor inactive"
      ),
      (
        #"{"traits": {"email": "a"}, "created_at": "x"}"#, .kratos,
        "created_at is not a time such as 2026-01-31T00:00:00Z"
      ),
      (#"{"email": "a", "blocked": 1}"#, .auth0, "blocked is neither true nor false"),
      (#"{"email": "a", "enabled": 1}"#, .keycloak, "enabled is neither true nor false"),
    ])
  func types(text: String, format: ImportFormat, problem: String) throws {
    #expect(try Self.problem(text, format) == problem)
  }

  // MARK: Firebase

  private static let hashing = FirebaseHashing(
    key: "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
    saltSeparator: "Bw==", rounds: 8, memoryCost: 14)

  @Test("a user of Firebase")
  func firebase() throws {
    let text = #"""
      {"localId": "V1StGXR8Z5jdHi6BmyT9x0qQeZm2", "email": "ada@example.com", "emailVerified": true,
       "passwordHash": "lSrfV15cpx95_sZS2W9c9Kp6i_LVgQNDNC_qzrCnh1SAyZvqmZqAjTdn3aoItz-VHjoZilo78198JAdRuid5lQ==",
       "salt": "42xEC-ixf3L2lw==", "displayName": "Ada", "disabled": true, "createdAt": "1764000000123",
       "lastSignedInAt": "1764000001000", "providerUserInfo": []}
      """#
    #expect(
      try Self.user(text, .firebase(Self.hashing))
        == ImportedUser(
          email: "ada@example.com", name: "Ada", status: .inactive,
          createdAt: Date(timeIntervalSince1970: 1_764_000_000.123),
          labels: ["firebase-id": "V1StGXR8Z5jdHi6BmyT9x0qQeZm2"],
          passwordHash: "$firescrypt$ln=14,r=8,p=1$42xEC+ixf3L2lw=="
            + "$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
            + "$Bw=="
            + "$jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=="))
    #expect(try Self.problem(text, .firebase(nil))?.contains("--firebase-key-file") == true)
    let plain = try Self.user(#"{"localId": "\#(Self.id)", "email": "a@b.example"}"#, .firebase(nil))
    #expect(plain == ImportedUser(id: Self.id, email: "a@b.example"))
    let bad = #"{"email": "a", "passwordHash": "*", "salt": "AA=="}"#
    #expect(try Self.problem(bad, .firebase(Self.hashing)) == "passwordHash or salt is not base64")
  }

  @Test(
    "parameters of a Firebase project are checked",
    arguments: [
      ("", "Bw==", 8, 14), ("*", "Bw==", 8, 14), ("AA==", "B", 8, 14), ("AA==", "", 0, 14),
      ("AA==", "", 9, 14), ("AA==", "", 8, 15), ("AA==", "", 8, 0),
    ])
  func firebaseParameters(key: String, separator: String, rounds: Int, cost: Int) {
    #expect(FirebaseHashing(key: key, saltSeparator: separator, rounds: rounds, memoryCost: cost) == nil)
  }

  // MARK: Kratos

  @Test("an identity of Kratos")
  func kratos() throws {
    let text = #"""
      {"id": "\#(Self.id)", "schema_id": "default", "state": "inactive",
       "traits": {"email": "ada@example.com", "name": {"first": "Ada", "last": "Lovelace"}},
       "verifiable_addresses": [{"value": "other@example.com", "via": "email", "verified": true}],
       "credentials": {"oidc": {}, "password": {"type": "password", "identifiers": ["ada@example.com"],
         "config": {"hashed_password": "$2a$12$abc"}}},
       "metadata_public": null, "created_at": "2022-02-24T15:33:17.845589803Z", "updated_at": "2022-02-25T15:33:17Z"}
      """#
    #expect(
      try Self.user(text, .kratos)
        == ImportedUser(
          id: Self.id, email: "ada@example.com", name: "Ada Lovelace", status: .inactive,
          createdAt: Date(timeIntervalSince1970: 1_645_716_797.845_589),
          updatedAt: Date(timeIntervalSince1970: 1_645_803_197), passwordHash: "$2a$12$abc"))
  }

  @Test(
    "the address of an identity may be in three places",
    arguments: [
      #"{"create": {"traits": {"email": "a@b.example"}}, "patch_id": "x"}"#,
      #"{"traits": {}, "verifiable_addresses": [{"via": "sms", "value": "+1"}, {"via": "email", "value": "a@b.example"}]}"#,
      #"{"credentials": {"password": {"identifiers": ["ada", "a@b.example"]}}}"#,
      #"{"traits": {"email": "a@b.example"}, "verifiable_addresses": [{"via": "email", "value": "x@b.example"}]}"#,
    ])
  func kratosAddress(text: String) throws {
    #expect(try Self.user(text, .kratos) == ImportedUser(email: "a@b.example"))
  }

  @Test(
    "an identity may have a name of one part, and a password in the clear",
    arguments: [
      (#""Ada""#, "Ada"), (#"{"first": "Ada"}"#, "Ada"), (#"{"last": "L", "first": ""}"#, "L"), ("{}", ""),
      ("null", ""),
    ])
  func kratosName(name: String, read: String) throws {
    let text =
      #"{"traits": {"email": "a", "name": \#(name)}, "credentials": {"password": {"config": {"password": "p"}}}}"#
    #expect(try Self.user(text, .kratos) == ImportedUser(email: "a", name: read, password: "p"))
  }

  // MARK: Auth0

  @Test(
    "a user of Auth0, of each kind of export",
    arguments: [
      (
        #"{"user_id": "auth0|5f7c", "email": "a", "name": "Ada", "blocked": true, "created_at": "1970-01-01T00:00:01.000Z", "updated_at": "1970-01-01T00:00:02Z", "identities": [{}]}"#,
        ImportedUser(
          email: "a", name: "Ada", status: .inactive, createdAt: Date(timeIntervalSince1970: 1),
          updatedAt: Date(timeIntervalSince1970: 2), labels: ["auth0-id": "auth0|5f7c"])
      ),
      (
        #"{"_id": {"$oid": "60425dc43519d90068f82973"}, "email": "a", "passwordHash": "$2b$10$abc", "password_set_date": {"$date": "x"}, "version": "1.1"}"#,
        ImportedUser(
          email: "a", labels: ["auth0-id": "auth0|60425dc43519d90068f82973"], passwordHash: "$2b$10$abc")
      ),
      (
        #"{"user_id": "0190163d-8694-739b-aea5-966c26f8ad91", "email": "a", "given_name": "Ada", "family_name": "L", "password_hash": "$2a$10$abc"}"#,
        ImportedUser(
          id: "0190163d-8694-739b-aea5-966c26f8ad91", email: "a", name: "Ada L", passwordHash: "$2a$10$abc")
      ),
    ])
  func auth0(text: String, user: ImportedUser) throws {
    #expect(try Self.user(text, .auth0) == user)
  }

  @Test(
    "a password hash of Auth0 becomes a text of its own",
    arguments: [
      (#""algorithm": "bcrypt", "hash": {"value": "$2b$10$x"}"#, "$2b$10$x"),
      (
        #""algorithm": "argon2", "hash": {"value": "$argon2id$v=19$x", "encoding": "utf8"}"#,
        "$argon2id$v=19$x"
      ),
      (
        #""algorithm": "pbkdf2", "hash": {"value": "$pbkdf2-sha512$i=1,l=2$a$b"}"#,
        "$pbkdf2-sha512$i=1,l=2$a$b"
      ),
      (#""algorithm": "ldap", "hash": {"value": "{SSHA}AAAA"}"#, "{SSHA}AAAA"),
      (#""algorithm": "md5", "hash": {"value": "00ff10"}"#, "$md5$AP8Q"),
      (
        #""algorithm": "sha1", "hash": {"value": "00FF10", "encoding": "hex"}"#,
        "$sha1$pf=e1BBU1NXT1JEfQ==$$AP8Q"
      ),
      (
        #""algorithm": "sha256", "hash": {"value": "AP8Q", "encoding": "base64"}, "salt": {"value": "salt"}"#,
        "$sha256$pf=e1NBTFR9e1BBU1NXT1JEfQ==$c2FsdA==$AP8Q"
      ),
      (
        #""algorithm": "sha512", "hash": {"value": "00ff10"}, "salt": {"value": "73616c74", "encoding": "hex", "position": "suffix"}"#,
        "$sha512$pf=e1BBU1NXT1JEfXtTQUxUfQ==$c2FsdA==$AP8Q"
      ),
      (
        #""algorithm": "hmac", "hash": {"value": "00FF10", "encoding": "hex", "digest": "sha256", "key": {"value": "key"}}"#,
        "$hmac-sha256$MDBmZjEw$a2V5"
      ),
      (
        #""algorithm": "scrypt", "hash": {"value": "00ff10"}, "salt": {"value": "salt"}, "cost": 32768, "blockSize": 4, "parallelization": 2, "keylen": 3"#,
        "$scrypt$ln=15,r=4,p=2$c2FsdA$AP8Q"
      ),
      (
        #""algorithm": "scrypt", "hash": {"value": "00ff10"}, "salt": {"value": "c2FsdA==", "encoding": "base64"}"#,
        "$scrypt$ln=14,r=8,p=1$c2FsdA$AP8Q"
      ),
    ])
  func auth0Hash(parts: String, hash: String) throws {
    let user = try Self.user(#"{"email": "a", "custom_password_hash": {\#(parts)}}"#, .auth0)
    #expect(user.passwordHash == hash)
  }

  @Test(
    "a password hash of Auth0 that the service cannot check is rejected",
    arguments: [
      (#""hash": {}"#, "lacks its algorithm"),
      (#""algorithm": "md4", "hash": {}"#, "'md4', which is not supported"),
      (#""algorithm": "bcrypt", "hash": {}"#, "lacks hash.value"),
      (
        #""algorithm": "md5", "hash": {"value": "0f0"}"#,
        "hash.value of custom_password_hash cannot be decoded"
      ),
      (#""algorithm": "md5", "hash": {"value": "0g", "encoding": "hex"}"#, "cannot be decoded"),
      (#""algorithm": "sha1", "hash": {"value": "00", "encoding": "utf7"}"#, "cannot be decoded"),
      (#""algorithm": "sha1", "hash": {"value": "00"}, "salt": {}"#, "lacks salt.value"),
      (
        #""algorithm": "sha1", "hash": {"value": "00"}, "password": {"encoding": "utf16le"}"#,
        "'sha1 of utf16le'"
      ),
      (#""algorithm": "hmac", "hash": {"value": "00", "digest": "sha1"}"#, "lacks hash.key.value"),
      (
        #""algorithm": "hmac", "hash": {"value": "00", "digest": "sha1"}, "salt": {"value": "x"}"#,
        "'hmac with a salt'"
      ),
      (
        #""algorithm": "scrypt", "hash": {"value": "00"}, "salt": {"value": "x"}, "cost": 1000"#,
        "power of two"
      ),
      (
        #""algorithm": "scrypt", "hash": {"value": "00"}, "salt": {"value": "x"}, "cost": -9223372036854775808"#,
        "power of two"
      ),
    ])
  func auth0BadHash(parts: String, words: String) throws {
    let problem = try Self.problem(#"{"email": "a", "custom_password_hash": {\#(parts)}}"#, .auth0)
    #expect(problem?.contains(words) == true, "\(problem ?? "")")
  }

  // MARK: Keycloak

  private static func keycloak(_ secret: String, _ parameters: String) -> String {
    let (secret, parameters) = (UserFileWriter.quoted(secret), UserFileWriter.quoted(parameters))
    return #"""
      {"id": "\#(id)", "createdTimestamp": 1764000000123, "username": "ada", "enabled": false, "email": "a",
       "firstName": "Ada", "lastName": "L", "credentials": [{"type": "otp", "secretData": "{}"},
       {"type": "password", "secretData": \#(secret), "credentialData": \#(parameters)}], "realmRoles": ["x"]}
      """#
  }

  @Test(
    "a user of Keycloak, with each kind of hash",
    arguments: [
      (#""algorithm": "pbkdf2-sha256""#, "$pbkdf2-sha256$i=27500,l=3$c2FsdA$AP8Q"),
      (#""algorithm": "pbkdf2-sha512""#, "$pbkdf2-sha512$i=27500,l=3$c2FsdA$AP8Q"),
      (#""algorithm": "pbkdf2""#, "$pbkdf2-sha1$i=27500,l=3$c2FsdA$AP8Q"),
      (
        #""algorithm": "argon2", "additionalParameters": {"hashLength": ["32"], "memory": ["7168"], "type": ["id"], "version": ["1.3"], "parallelism": ["1"]}"#,
        "$argon2id$v=19$m=7168,t=27500,p=1$c2FsdA$AP8Q"
      ),
    ])
  func keycloakUser(parameters: String, hash: String) throws {
    let text = Self.keycloak(
      #"{"value": "AP8Q", "salt": "c2FsdA==", "additionalParameters": {}}"#,
      #"{"hashIterations": 27500, \#(parameters)}"#)
    #expect(
      try Self.user(text, .keycloak)
        == ImportedUser(
          id: Self.id, email: "a", name: "Ada L", status: .inactive,
          createdAt: Date(timeIntervalSince1970: 1_764_000_000.123), passwordHash: hash))
  }

  @Test("a user of Keycloak may have a password in the clear, or none, and an id of any form")
  func keycloakPassword() throws {
    let clear = #"{"id": "f:1:ada", "email": "a", "credentials": [{"type": "password", "value": "p"}]}"#
    #expect(
      try Self.user(clear, .keycloak)
        == ImportedUser(email: "a", labels: ["keycloak-id": "f:1:ada"], password: "p"))
    #expect(try Self.user(#"{"email": "a", "credentials": []}"#, .keycloak) == ImportedUser(email: "a"))
  }

  @Test(
    "a password of Keycloak that the service cannot check is rejected",
    arguments: [
      ("{", "{}", "the password's secretData is not JSON"), ("{}", "{}", "secretData lacks"),
      (#"{"value": "AA==", "salt": "*"}"#, "{}", "secretData lacks"),
      (#"{"value": "AA==", "salt": "AA=="}"#, "{}", "lacks hashIterations"),
      (#"{"value": "AA==", "salt": "AA=="}"#, #"{"hashIterations": -1}"#, "lacks hashIterations"),
      (
        #"{"value": "AA==", "salt": "AA=="}"#, #"{"hashIterations": 1, "algorithm": "own"}"#,
        "'own', which is not supported"
      ),
      (
        #"{"value": "AA==", "salt": "AA=="}"#, #"{"hashIterations": 1, "algorithm": "argon2"}"#,
        "parameters of argon2"
      ),
    ])
  func keycloakBadHash(secret: String, parameters: String, words: String) throws {
    let problem = try Self.problem(Self.keycloak(secret, parameters), .keycloak)
    #expect(problem?.contains(words) == true, "\(problem ?? "")")
  }

  @Test("a member that appears twice counts as in most parsers, by its last value")
  func duplicates() throws {
    #expect(try Self.user(#"{"email": "a", "email": "b"}"#, .auth0).email == "b")
  }
}
