import Foundation
import UserServiceClient

extension ImportedUser {
  /// Reads an identity of Ory Kratos (its API's `Identity` and `CreateIdentityBody`).
  ///
  /// The address is the trait `email`, or else the first verifiable address that is an e-mail address, or else the first
  /// identifier of the password that is one. The name is the trait `name`: a text, or an object with `first` and `last`.
  /// A hash of the password is taken as it is.
  ///
  /// Not kept: the schema, other traits, whether addresses are verified, metadata, and credentials except the password.
  ///
  /// - Throws: `Problem`, also for an identity without an address.
  init(kratos object: JSONValue) throws(UserFileRow.Problem) {
    // As in the body of PATCH /admin/identities.
    let identity = object["create"] ?? object
    let password = identity["credentials"]?["password"]
    self.init(email: try Self.kratosAddress(identity, password))
    id = try identity.text("id").flatMap { $0.isEmpty ? nil : $0 }
    status = try User.Status(file: identity.text("state") ?? "")
    createdAt = try identity.time("created_at")
    updatedAt = try identity.time("updated_at")
    switch identity["traits"]?["name"] {
    case .string(let text)?: name = text
    case let name?: self.name = [try name.text("first"), try name.text("last")].joinedName
    case nil: break
    }
    passwordHash = try password?["config"]?.text("hashed_password").flatMap { $0.isEmpty ? nil : $0 }
    if passwordHash == nil {
      self.password = try password?["config"]?.text("password").flatMap { $0.isEmpty ? nil : $0 }
    }
  }

  private static func kratosAddress(
    _ identity: JSONValue, _ password: JSONValue?
  ) throws(UserFileRow.Problem) -> String {
    if let address = try identity["traits"]?.text("email"), !address.isEmpty { return address }
    let verifiable = identity["verifiable_addresses"]?.elements.first { $0["via"]?.text == "email" }
    if let address = try verifiable?.text("value"), !address.isEmpty { return address }
    let identifiers = password?["identifiers"]?.elements.compactMap(\.text) ?? []
    if let address = identifiers.first(where: { $0.contains("@") }) { return address }
    throw .missingAddress
  }
}

extension [String?] {
  /// The parts of a name that are not empty, joined by spaces.
  var joinedName: String { compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: " ") }
}
