import ArgumentParser
import UserServiceClient

/// `user-service users undelete`.
struct UsersUndeleteCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "undelete", abstract: "Restore a deleted user.",
    discussion: "Its status is what it was, and it has to sign in again. Needs the scope users:write.")

  @OptionGroup var reference: UserReferenceOptions
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions
  @Option(help: ArgumentHelp("Restore the user only if it still has this etag.", valueName: "etag"))
  var etag: String?

  func run() async throws {
    let user = try await connection.withClient { client in
      let (id, etag) = try await reference.target(client, etag: etag, showDeleted: true)
      return try await client.undeleteUser(id: id, etag: etag)
    }
    var output = output.writer
    try output.show([user])
  }
}
