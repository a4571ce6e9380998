import ArgumentParser

/// The program. One file a subcommand.
@main
struct UserServiceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "user-service",
    abstract: "Keeps the users of other services in one SQLite file.",
    discussion: "Exit codes: 0 done, 1 failed, 64 the command line was wrong.",
    subcommands: [
      ServeCommand.self, HealthCommand.self, TokenCommand.self, KeysCommand.self, MigrateCommand.self,
      Argon2Command.self, VersionCommand.self,
    ]
  )
}
