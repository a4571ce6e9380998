import ArgumentParser
import UserServiceClient

/// `user-service users update`.
struct UsersUpdateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "update", abstract: "Change a user.",
    discussion: """
      A new password, its removal, and --status inactive end every session of the user. Users who change their own \
      address or password must give the current password; callers with the scope users:write need not.
      """)

  enum Status: String, ExpressibleByArgument, CaseIterable {
    case active, inactive
  }

  @Argument(help: ArgumentHelp("The user's id.", valueName: "id"))
  var id: String
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions
  @Option(help: ArgumentHelp("Change the address to this.", valueName: "e-mail"))
  var email: String?
  @Option(help: ArgumentHelp("Change the name to this.", valueName: "text"))
  var name: String?
  @Option(help: ArgumentHelp("Set the status: active or inactive.", valueName: "status"))
  var status: Status?
  @OptionGroup var password: PasswordOptions
  @Option(
    help: ArgumentHelp("Read the current password from this file; - is standard input.", valueName: "path")
  )
  var currentPasswordFile: String?
  @Flag(help: "Ask for the current password at the terminal.")
  var askCurrentPassword = false
  @Flag(help: "Remove the password; the user can no longer sign in by password.")
  var removePassword = false

  func validate() throws {
    let setsPassword = password.passwordFile != nil || password.askPassword
    if setsPassword, removePassword {
      throw ValidationError("--remove-password excludes a new password")
    }
    if currentPasswordFile != nil, askCurrentPassword {
      throw ValidationError("--current-password-file and --ask-current-password exclude each other")
    }
    if currentPasswordFile == "-", password.passwordFile == "-" {
      throw ValidationError("standard input holds only one password: give a file for the other")
    }
    if email == nil, name == nil, status == nil, !setsPassword, !removePassword {
      throw ValidationError("give at least one option that changes the user")
    }
  }

  func run() async throws {
    var update = UserUpdate(userID: id, email: email, name: name)
    update.status = status.map { $0 == .active ? .active : .inactive }
    update.currentPassword = try currentPassword()
    update.password = removePassword ? .remove : try password.password().map { .set($0) }
    let user = try await connection.withClient { [update] client in try await client.updateUser(update) }
    var output = output.writer
    try output.show([user])
  }

  private func currentPassword() throws -> String? {
    if let currentPasswordFile { return try SmallFile.line(currentPasswordFile) }
    return askCurrentPassword ? try Terminal.password("Current password") : nil
  }
}
