import ArgumentParser

/// `--database`, shared by every command that opens a database.
struct DatabaseOption: ParsableArguments {
  @Option(help: ArgumentHelp("Open this SQLite database file.", valueName: "path"))
  var database: String

  func validate() throws {
    if database.isEmpty { throw ValidationError("--database must not be empty") }
    if database == ":memory:" {
      throw ValidationError("--database must name a file: an in-memory database ends with the command")
    }
  }
}
