import ArgumentParser
import UserStore

/// `user-service migrate`: the schema of a database file.
struct MigrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Migrates a database, and tells where it stands.",
    discussion: """
      The migrations are part of the program. Each is applied in a transaction of its own, and its checksum is \
      recorded. Two migrators at once are safe: the second waits for the first.
      """,
    subcommands: [Up.self, Down.self, Status.self, Verify.self]
  )

  struct LockOption: ParsableArguments {
    @Option(
      help: ArgumentHelp(
        "How long to wait for another process that holds the database.", valueName: "duration"))
    var lockTimeout = DurationArgument(.seconds(60))
  }

  struct Up: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Applies the migrations that are pending; makes the database if there is none.")

    @OptionGroup var database: DatabaseOption
    @Option(help: ArgumentHelp("Stop at this version; by default at the newest.", valueName: "version"))
    var to: Int?
    @OptionGroup var lock: LockOption

    func run() throws {
      let migrator = Migrator(path: database.database, lockTimeout: lock.lockTimeout.duration)
      var count = 0
      let version = try migrator.up(to: to) { migration in
        count += 1
        print("applied \(migration.id)")
      }
      print(count == 0 ? "nothing to do: the database is at version \(version)" : "at version \(version)")
    }
  }

  struct Down: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Takes back the last migration, or those after --to. What they stored is lost.",
      discussion: "Stop the service first, and make a backup. At a terminal it asks before it begins.")

    @OptionGroup var database: DatabaseOption
    @Option(help: ArgumentHelp("Go back to this version; 0 is an empty database.", valueName: "version"))
    var to: Int?
    @Flag(help: "Do not ask.")
    var yes = false
    @OptionGroup var lock: LockOption

    func run() throws {
      let migrator = Migrator(path: database.database, lockTimeout: lock.lockTimeout.duration)
      if Terminal.isInteractive, !yes {
        let planned = try migrator.plannedDown(to: to)
        if !planned.isEmpty {
          Terminal.note("This deletes what was stored by \(planned.map(\.id).joined(separator: ", ")).")
          guard Terminal.confirms("Go on?") else {
            Terminal.note("nothing was changed")
            throw ExitCode.failure
          }
        }
      }
      var count = 0
      let version = try migrator.down(to: to) { migration in
        count += 1
        print("reverted \(migration.id)")
      }
      print(count == 0 ? "nothing to do: the database is at version \(version)" : "at version \(version)")
    }
  }

  struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists every migration and whether it is applied. Changes nothing.")

    @OptionGroup var database: DatabaseOption
    @OptionGroup var lock: LockOption

    func run() throws {
      let status = try Migrator(path: database.database, lockTimeout: lock.lockTimeout.duration).status()
      var rows = [["VERSION", "NAME", "STATE"]]
      rows += status.lines.map { [String($0.version), $0.name, Self.words(for: $0.state)] }
      print(Terminal.table(rows))
    }

    private static func words(for state: Migrator.Status.Line.State) -> String {
      switch state {
      case .applied(let time): "applied \(time)"
      case .edited(let time): "applied \(time), but with another text than this program has"
      case .unknown(let time): "applied \(time) by a newer program"
      case .pending: "pending"
      }
    }
  }

  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Checks that the database is fully migrated, unedited and undamaged. Changes nothing.",
      discussion: "Exits with 1 and says what is wrong, or with 0. Reads the whole file.")

    @OptionGroup var database: DatabaseOption
    @OptionGroup var lock: LockOption

    func run() throws {
      try Migrator(path: database.database, lockTimeout: lock.lockTimeout.duration).verify()
      print("the database is in order")
    }
  }
}
