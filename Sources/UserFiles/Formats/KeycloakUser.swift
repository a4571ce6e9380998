import Foundation
import UserServiceClient

extension ImportedUser {
  /// Reads a user of an export of a Keycloak realm (`UserRepresentation`).
  ///
  /// Not kept: username, emailVerified, attributes, requiredActions, roles, groups, federated identities, and credentials
  /// except the password.
  ///
  /// - Throws: `Problem`, also for a user without an address, such as a service account.
  init(keycloak user: JSONValue) throws(UserFileRow.Problem) {
    self.init(email: try user.requiredAddress("email"))
    setForeignID(try user.text("id"), label: "keycloak-id")
    name = [try user.text("firstName"), try user.text("lastName")].joinedName
    if try user.bool("enabled") == false { status = .inactive }
    createdAt = try user.milliseconds("createdTimestamp")
    guard let credential = user["credentials"]?.elements.first(where: { $0["type"]?.text == "password" })
    else {
      return
    }
    if let text = try credential.text("value") {
      password = text.isEmpty ? nil : text
    } else {
      passwordHash = try Self.keycloakHash(credential)
    }
  }

  /// Returns the hash of a credential (`PasswordCredentialModel`), whose two parts are texts of JSON.
  private static func keycloakHash(_ credential: JSONValue) throws(UserFileRow.Problem) -> String {
    let secret = try part(credential, "secretData")
    let parameters = try part(credential, "credentialData")
    guard let hash = try secret.text("value").flatMap({ Base64Text($0) }),
      let salt = try secret.text("salt").flatMap({ Base64Text($0) })
    else { throw UserFileRow.Problem("secretData lacks a value or salt in base64") }
    guard let iterations = try parameters.integer("hashIterations"), iterations > 0 else {
      throw UserFileRow.Problem("credentialData lacks hashIterations")
    }
    let algorithm = try parameters.text("algorithm") ?? ""
    switch algorithm {
    case "pbkdf2": return PasswordHashText.pbkdf2("sha1", iterations, hash: hash, salt: salt)
    case "pbkdf2-sha256": return PasswordHashText.pbkdf2("sha256", iterations, hash: hash, salt: salt)
    case "pbkdf2-sha512": return PasswordHashText.pbkdf2("sha512", iterations, hash: hash, salt: salt)
    case "argon2": return try argon2(parameters["additionalParameters"], iterations, hash: hash, salt: salt)
    default: throw .unsupportedHash(algorithm)
    }
  }

  private static func part(_ credential: JSONValue, _ name: String) throws(UserFileRow.Problem) -> JSONValue {
    guard let text = try credential.text(name) else {
      throw UserFileRow.Problem("the password's \(name) is missing")
    }
    do throws(JSONReader.Fault) {
      return try JSONValue(text: text)
    } catch {
      throw UserFileRow.Problem("the password's \(name) is not JSON")
    }
  }

  /// Each of the parameters is an array with one text. Keycloak's versions `1.0` and `1.3` are 16 and 19 in hexadecimal.
  private static func argon2(
    _ parameters: JSONValue?, _ iterations: Int64, hash: Base64Text, salt: Base64Text
  ) throws(UserFileRow.Problem) -> String {
    func first(_ name: String) -> String? { parameters?[name]?.elements.first?.text }
    guard let type = first("type"), ["i", "d", "id"].contains(type),
      let memory = first("memory").flatMap({ UInt32($0) }),
      let parallelism = first("parallelism").flatMap({ UInt32($0) }), first("version") ?? "1.3" == "1.3"
    else { throw UserFileRow.Problem("the parameters of argon2 are missing or unsupported") }
    return
      "$argon2\(type)$v=19$m=\(memory),t=\(iterations),p=\(parallelism)$\(salt.unpadded)$\(hash.unpadded)"
  }
}
