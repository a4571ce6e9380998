import ArgumentParser
import UserServiceClient

/// The user that a command is about, by its id or its address.
struct UserReferenceOptions: ParsableArguments {
  @Argument(help: ArgumentHelp("The user's id.", valueName: "id"))
  var id: String?
  @Option(help: ArgumentHelp("The user's address, instead of its id.", valueName: "e-mail"))
  var email: String?

  func validate() throws {
    guard (id == nil) != (email == nil) else { throw ValidationError("give either an id or --email") }
  }

  /// Reads the user.
  func user(_ client: UserServiceClient, showDeleted: Bool) async throws -> User {
    if let email { return try await client.getUser(email: email, showDeleted: showDeleted) }
    return try await client.getUser(id: id ?? "", showDeleted: showDeleted)
  }

  /// Returns the id of the user that is to be changed, and the etag that it must have, or nil.
  ///
  /// An address is looked up first. It may belong to another user before the change, so that the etag is required then.
  ///
  /// - Parameter etag: the etag that the command was given.
  func target(
    _ client: UserServiceClient, etag: String?, showDeleted: Bool
  ) async throws -> (id: String, etag: String?) {
    if let id { return (id, etag) }
    let user = try await user(client, showDeleted: showDeleted)
    return (user.id, etag ?? user.etag)
  }
}
