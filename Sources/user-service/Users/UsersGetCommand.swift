import ArgumentParser
import UserServiceClient

/// `user-service users get`.
struct UsersGetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "get", abstract: "Show one user.")

  @OptionGroup var reference: UserReferenceOptions
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions
  @Flag(help: "Show the user also if it is deleted.")
  var showDeleted = false

  func run() async throws {
    let user = try await connection.withClient { client in
      try await reference.user(client, showDeleted: showDeleted)
    }
    var output = output.writer
    try output.show([user])
  }
}
