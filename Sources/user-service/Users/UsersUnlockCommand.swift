import ArgumentParser
import Foundation
import UserDomain
import UserStore

/// `user-service users unlock`: works on the database itself, whether the service runs or not.
struct UsersUnlockCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unlock", abstract: "Lets a user sign in by password again after too many failed attempts.",
    discussion: """
      After 100 wrong passwords in a row an account takes no password, except from a device that has signed in before. \
      This forgets the failures. It needs the database file and not the service; a running service takes it up at once. \
      A new password, or --status active, of 'user-service users update' with the scope users:write does the same.
      """)

  @Argument(help: ArgumentHelp("The user's id.", valueName: "id"))
  var id: String
  @OptionGroup var database: DatabaseOption

  func run() async throws {
    guard FileManager.default.fileExists(atPath: database.database) else {
      throw StoreError.missing(path: database.database)
    }
    let repository = try SQLiteUserRepository(.file(database.database), schema: .requireCurrent)
    guard let user = UserID(id), try repository.user(id: user) != nil else {
      try await repository.close()
      Terminal.note("Error: there is no user \(Terminal.harmless(id))")
      throw ExitCode(3)
    }
    let failures = try await repository.unlock(user)
    try await repository.close()
    print("unlocked \(user): \(failures) failed attempts in a row are forgotten")
  }
}
