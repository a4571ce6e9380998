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
  @OptionGroup var currentPassword: CurrentPasswordOptions
  @Flag(help: "Remove the password; the user can no longer sign in by password.")
  var removePassword = false
  @Option(
    help: ArgumentHelp(
      "Set this label; given any number of times. All other labels are removed.", valueName: "key=value"))
  var label: [LabelArgument] = []
  @Flag(help: "Remove all labels.")
  var noLabels = false
  @Option(help: ArgumentHelp("Change the user only if it still has this etag.", valueName: "etag"))
  var etag: String?

  func validate() throws {
    let setsPassword = password.passwordFile != nil || password.askPassword
    if setsPassword, removePassword {
      throw ValidationError("--remove-password excludes a new password")
    }
    if currentPassword.currentPasswordFile == "-", password.passwordFile == "-" {
      throw ValidationError("standard input holds only one password: give a file for the other")
    }
    if noLabels, !label.isEmpty { throw ValidationError("--no-labels excludes --label") }
    _ = try LabelArgument.byKey(label)
    let changesLabels = noLabels || !label.isEmpty
    if email == nil, name == nil, status == nil, !setsPassword, !removePassword, !changesLabels {
      throw ValidationError("give at least one option that changes the user")
    }
  }

  func run() async throws {
    var update = UserUpdate(userID: id, email: email, name: name, etag: etag)
    update.status = status.map { $0 == .active ? .active : .inactive }
    update.currentPassword = try currentPassword.password()
    update.password = removePassword ? .remove : try password.password().map { .set($0) }
    let labels = noLabels || !label.isEmpty ? try LabelArgument.byKey(label) : nil
    let user = try await connection.withClient { [update] client in
      try await client.updateUser(update, labels: labels)
    }
    var output = output.writer
    try output.show([user])
  }
}
