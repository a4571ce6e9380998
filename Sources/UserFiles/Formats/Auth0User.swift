import Foundation
import Primitives
import UserServiceClient

extension ImportedUser {
  /// Reads a user of Auth0: of an export of profiles, of an export of password hashes, or in the schema of its bulk import.
  ///
  /// `user_id`, or `_id` in an export of hashes, becomes the label `auth0-id` if it is not a UUID. Not kept:
  /// email_verified, username, nickname, picture, phone numbers, metadata, identities, sign-ins and second factors.
  ///
  /// - Throws: `Problem`, also for a user without an address.
  init(auth0 user: JSONValue) throws(UserFileRow.Problem) {
    self.init(email: try user.requiredAddress("email"))
    let (id, object) = (try user.text("user_id"), try user["_id"]?.text("$oid"))
    setForeignID(id ?? object.map { "auth0|\($0)" }, label: "auth0-id")
    let (given, family) = (try user.text("given_name"), try user.text("family_name"))
    name = try user.text("name") ?? [given, family].joinedName
    if try user.bool("blocked") == true { status = .inactive }
    createdAt = try user.time("created_at")
    updatedAt = try user.time("updated_at")
    if let custom = user["custom_password_hash"] {
      passwordHash = try Auth0Hash(custom).text()
    } else {
      let (exported, imported) = (try user.text("passwordHash"), try user.text("password_hash"))
      passwordHash = exported ?? imported
    }
  }
}

/// A `custom_password_hash` of Auth0's schema of bulk imports.
private struct Auth0Hash {
  private let parts: JSONValue
  private let algorithm: String
  private let hash: JSONValue

  init(_ parts: JSONValue) throws(UserFileRow.Problem) {
    guard let algorithm = try parts.text("algorithm"), let hash = parts["hash"] else {
      throw UserFileRow.Problem("custom_password_hash lacks its algorithm or hash")
    }
    self.parts = parts
    self.algorithm = algorithm
    self.hash = hash
  }

  /// Returns the hash as the service takes it.
  func text() throws(UserFileRow.Problem) -> String {
    if let encoding = try parts["password"]?.text("encoding"), encoding != "utf8" {
      throw .unsupportedHash("\(algorithm) of \(encoding)")
    }
    switch algorithm {
    // Their values are texts with all parameters: PHC strings, bcrypt, and schemes of RFC 2307.
    case "argon2", "bcrypt", "pbkdf2", "ldap":
      guard let text = try hash.text("value"), !text.isEmpty else { throw .missingPart("hash.value") }
      return text
    case "scrypt": return try scrypt()
    case "md5", "sha1", "sha256", "sha512": return try digest()
    case "hmac": return try hmac()
    default: throw .unsupportedHash(algorithm)
    }
  }

  private func scrypt() throws(UserFileRow.Problem) -> String {
    let text = PasswordHashText.scrypt(
      cost: try parts.integer("cost") ?? 16_384, blockSize: try parts.integer("blockSize") ?? 8,
      parallelization: try parts.integer("parallelization") ?? 1,
      hash: try Self.bytes(hash, "hash.value", encoding: "hex"),
      salt: try Self.bytes(parts["salt"], "salt.value", encoding: "utf8"))
    guard let text else { throw UserFileRow.Problem("the cost of scrypt is not a power of two") }
    return text
  }

  private func digest() throws(UserFileRow.Problem) -> String {
    let value = try Self.bytes(hash, "hash.value", encoding: "hex")
    guard let salt = parts["salt"] else {
      // Kratos has no template for an MD5 without a salt.
      if algorithm == "md5" { return "$md5$\(value.padded)" }
      return PasswordHashText.digest(algorithm, template: "{PASSWORD}", hash: value, salt: Base64Text([]))
    }
    let isSuffix = try salt.text("position") == "suffix"
    return PasswordHashText.digest(
      algorithm, template: isSuffix ? "{PASSWORD}{SALT}" : "{SALT}{PASSWORD}", hash: value,
      salt: try Self.bytes(salt, "salt.value", encoding: "utf8"))
  }

  private func hmac() throws(UserFileRow.Problem) -> String {
    guard parts["salt"] == nil else { throw .unsupportedHash("hmac with a salt") }
    guard let digest = try hash.text("digest") else { throw .missingPart("hash.digest") }
    let value = try Self.data(hash, "hash.value", encoding: "hex")
    return PasswordHashText.hmac(
      digest.lowercased(), hexadecimal: Hexadecimal.encode(value),
      key: try Self.bytes(hash["key"], "hash.key.value", encoding: "utf8"))
  }

  private static func bytes(
    _ part: JSONValue?, _ name: String, encoding: String
  ) throws(UserFileRow.Problem) -> Base64Text {
    Base64Text(try data(part, name, encoding: encoding))
  }

  /// Returns the bytes of a value in its own encoding or else in `encoding`, the default of Auth0.
  private static func data(
    _ part: JSONValue?, _ name: String, encoding: String
  ) throws(UserFileRow.Problem) -> Data {
    guard let part, let text = try part.text("value") else { throw .missingPart(name) }
    let bytes: Data? =
      switch try part.text("encoding") ?? encoding {
      case "utf8": Data(text.utf8)
      case "hex": Self.hexadecimal(text)
      case "base64": Base64Text(text).flatMap { Data(base64Encoded: $0.padded) }
      default: nil
      }
    guard let bytes else { throw UserFileRow.Problem("\(name) of custom_password_hash cannot be decoded") }
    return bytes
  }

  private static func hexadecimal(_ text: String) -> Data? {
    let digits = text.utf8.map { Hexadecimal.value(of: $0) }
    guard digits.count.isMultiple(of: 2), !digits.contains(nil) else { return nil }
    let values = digits.compactMap { $0 }
    return Data(stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] })
  }
}

extension UserFileRow.Problem {
  fileprivate static func missingPart(_ name: String) -> Self {
    Self("custom_password_hash lacks \(name)")
  }
}
