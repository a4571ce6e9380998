import ArgumentParser

/// `user-service users`: the users of a running service.
struct UsersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "users",
    abstract: "Show, create, change, delete, import and export the users of a service.",
    discussion: """
      Exit codes: 0 success, 1 failure, 2 invalid command line, 3 user not found, 4 refused by the service: \
      a value is invalid, the address is taken, the user has changed, or the caller lacks permission.
      """,
    subcommands: [
      UsersGetCommand.self, UsersListCommand.self, UsersCreateCommand.self, UsersUpdateCommand.self,
      UsersDeleteCommand.self, UsersUndeleteCommand.self,
      UsersImportCommand.self, UsersExportCommand.self, UsersUnlockCommand.self,
    ])
}
