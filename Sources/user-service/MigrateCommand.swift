import ArgumentParser
import UserServiceApp
import UserStore

/// `user-service migrate`: the schema of a database.
struct MigrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Migrate a database, and show its state.",
    discussion: """
      The migrations are part of the program. Each is applied in a transaction of its own, and its checksum is \
      recorded. Two migrators at once are safe: the second waits for the first.
      """,
    subcommands: [Up.self, Down.self, Status.self, Verify.self]
  )

  struct LockOption: ParsableArguments {
    @Option(
      help: ArgumentHelp(
        "Wait at most this long for another process that holds the database.", valueName: "duration"))
    var lockTimeout = DurationArgument(.seconds(60))
  }

  struct Up: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Apply the pending migrations, creating an SQLite file that does not exist.")

    @OptionGroup var database: DatabaseOption
    @Option(help: ArgumentHelp("Stop at this version; by default, at the newest.", valueName: "version"))
    var to: Int?
    @OptionGroup var lock: LockOption

    func run() throws {
      let migrator = try database.address(mayCreate: true).migrator(lockTimeout: lock.lockTimeout.duration)
      var count = 0
      let line = MigrationLine()
      let report = { (migration: Migration) in
        count += 1
        line.clear()
        print("applied \(migration.id)")
      }
      let version = try migrator.up(to: to, report: report, progress: line.show)
      print(count == 0 ? "nothing to do: the database is at version \(version)" : "at version \(version)")
    }
  }

  struct Down: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Revert the last migration, or those after --to. Deletes the data they stored.",
      discussion: "Stop the service first, and make a backup. At a terminal, asks for confirmation.")

    @OptionGroup var database: DatabaseOption
    @Option(help: ArgumentHelp("Revert to this version; 0 is an empty database.", valueName: "version"))
    var to: Int?
    @Flag(help: "Do not ask for confirmation.")
    var yes = false
    @OptionGroup var lock: LockOption

    func run() throws {
      let migrator = try database.address(mayCreate: true).migrator(lockTimeout: lock.lockTimeout.duration)
      if Terminal.isInteractive, !yes {
        let planned = try migrator.plannedDown(to: to)
        if !planned.isEmpty {
          Terminal.note("This deletes the data stored by \(planned.map(\.id).joined(separator: ", ")).")
          guard Terminal.confirms("Continue?") else {
            Terminal.note("nothing was changed")
            throw ExitCode.failure
          }
        }
      }
      var count = 0
      let line = MigrationLine()
      let report = { (migration: Migration) in
        count += 1
        line.clear()
        print("reverted \(migration.id)")
      }
      let version = try migrator.down(to: to, report: report, progress: line.show)
      print(count == 0 ? "nothing to do: the database is at version \(version)" : "at version \(version)")
    }
  }

  struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List every migration and whether it is applied. Changes nothing.")

    @OptionGroup var database: DatabaseOption
    @OptionGroup var lock: LockOption

    func run() throws {
      let status = try database.address(mayCreate: true).migrator(lockTimeout: lock.lockTimeout.duration)
        .status()
      var rows = [["VERSION", "NAME", "STATE"]]
      rows += status.lines.map { [String($0.version), $0.name, Self.words(for: $0.state)] }
      print(Terminal.table(rows))
    }

    private static func words(for state: MigrationStatus.Line.State) -> String {
      switch state {
      case .applied(let time): "applied \(time)"
      case .edited(let time): "applied \(time), with different SQL than this version contains"
      case .unknown(let time): "applied \(time) by a newer version"
      case .pending: "pending"
      }
    }
  }

  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check that the database is fully migrated, unedited and undamaged. Changes nothing.",
      discussion: "Reads the whole database. Exits with 0, or prints the problem and exits with 1.")

    @OptionGroup var database: DatabaseOption
    @OptionGroup var lock: LockOption

    func run() throws {
      try database.address(mayCreate: true).migrator(lockTimeout: lock.lockTimeout.duration).verify()
      print("the database is in order")
    }
  }
}
