import ArgumentParser
import UserServiceClient

/// `user-service users get`.
struct UsersGetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "get", abstract: "Show one user.")

  @Argument(help: ArgumentHelp("The user's id.", valueName: "id"))
  var id: String
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let user = try await connection.withClient { client in try await client.getUser(id: id) }
    var output = output.writer
    try output.show([user])
  }
}
