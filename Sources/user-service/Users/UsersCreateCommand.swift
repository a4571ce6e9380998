import ArgumentParser
import UserServiceClient

/// `user-service users create`.
struct UsersCreateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create", abstract: "Create a user.",
    discussion: "Without a password, the user cannot sign in by password.")

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions
  @Option(help: ArgumentHelp("Create the user with this address.", valueName: "e-mail"))
  var email: String
  @Option(help: ArgumentHelp("Create the user with this name.", valueName: "text"))
  var name = ""
  @OptionGroup var password: PasswordOptions
  @Option(help: ArgumentHelp("Set this label; given any number of times.", valueName: "key=value"))
  var label: [LabelArgument] = []

  func validate() throws { _ = try LabelArgument.byKey(label) }

  func run() async throws {
    let new = NewUser(
      email: email, name: name, password: try password.password(), labels: try LabelArgument.byKey(label))
    let user = try await connection.withClient(needsCaller: false) { client in
      try await client.createUser(new)
    }
    var output = output.writer
    try output.show([user])
  }
}
