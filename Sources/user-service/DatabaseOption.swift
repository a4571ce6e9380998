import ArgumentParser

/// `--database`, the same for every command that opens one.
struct DatabaseOption: ParsableArguments {
  @Option(help: ArgumentHelp("The SQLite database file.", valueName: "path"))
  var database: String

  func validate() throws {
    if database.isEmpty { throw ValidationError("--database must not be empty") }
    if database == ":memory:" {
      throw ValidationError("--database must name a file: a database in memory ends with the command")
    }
  }
}
