import ArgumentParser

/// `user-service users`: the users of a running service.
struct UsersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "users",
    abstract: "Shows, creates, imports, changes and unlocks the users of a running service.",
    discussion: """
      Exit codes: 0 done, 1 failed, 2 the command line was wrong, 3 there is no such user, 4 the service refused it: \
      what was given is wrong, the address is taken, or the caller may not do that.
      """,
    subcommands: [
      UsersGetCommand.self, UsersListCommand.self, UsersCreateCommand.self, UsersUpdateCommand.self,
      UsersImportCommand.self, UsersUnlockCommand.self,
    ])
}
