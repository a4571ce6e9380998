import ArgumentParser
import UserDomain
import UserServiceApp
import UserStore

/// `user-service users unlock`: writes to the database; the service need not run.
struct UsersUnlockCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unlock", abstract: "Let a user sign in by password again after too many failures.",
    discussion: """
      After 100 wrong passwords in a row, an account refuses passwords, except from a device that has signed in before. \
      This resets the count of failures. It needs the database; a running service applies it at once. \
      'user-service users update' does the same with a new password or --status active, and the scope users:write.
      """)

  @Argument(help: ArgumentHelp("The user's id.", valueName: "id"))
  var id: String
  @OptionGroup var database: DatabaseOption

  func run() async throws {
    let repository = try await database.address().open()
    guard let user = UserID(id), try await repository.user(id: user) != nil else {
      try await repository.close()
      Terminal.note("Error: the user \(Terminal.harmless(id)) does not exist")
      throw ExitCode(3)
    }
    let failures = try await repository.unlock(user)
    try await repository.close()
    print("unlocked \(user): \(failures) consecutive failures reset")
  }
}
