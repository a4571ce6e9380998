import ArgumentParser
import UserServiceClient

/// `user-service users update`.
struct UsersUpdateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "update", abstract: "Changes a user.",
    discussion: "A new password, its removal, and --status inactive end every sign-in of the user.")

  enum Status: String, ExpressibleByArgument, CaseIterable {
    case active, inactive
  }

  @Argument(help: ArgumentHelp("The user's id.", valueName: "id"))
  var id: String
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions
  @Option(help: ArgumentHelp("The new address.", valueName: "e-mail"))
  var email: String?
  @Option(help: ArgumentHelp("The new name.", valueName: "text"))
  var name: String?
  @Option(help: ArgumentHelp("active or inactive.", valueName: "status"))
  var status: Status?
  @OptionGroup var password: PasswordOptions
  @Flag(help: "From now on the user cannot sign in by password.")
  var removePassword = false

  func validate() throws {
    let setsPassword = password.passwordFile != nil || password.askPassword
    if setsPassword, removePassword {
      throw ValidationError("--remove-password excludes a new password")
    }
    if email == nil, name == nil, status == nil, !setsPassword, !removePassword {
      throw ValidationError("there is nothing to change")
    }
  }

  func run() async throws {
    var update = UserUpdate(userID: id, email: email, name: name)
    update.status = status.map { $0 == .active ? .active : .inactive }
    update.password = removePassword ? .remove : try password.password().map { .set($0) }
    let user = try await connection.withClient { [update] client in try await client.updateUser(update) }
    var output = output.writer
    try output.show([user])
  }
}
