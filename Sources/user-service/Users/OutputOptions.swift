import ArgumentParser

/// `--output`, shared by every command that shows users.
struct OutputOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case table, json, csv
  }

  @Option(
    help: ArgumentHelp("Print a table, one JSON object a line (json), or csv.", valueName: "format"))
  var output = Format.table
  @Flag(
    help: """
      Write CSV fields unchanged, for an import elsewhere. Without --raw, a field that a spreadsheet \
      would read as a formula (it begins with = + - @ or a tab) is prefixed with '.
      """)
  var raw = false

  func validate() throws {
    if raw, output != .csv { throw ValidationError("--raw requires --output csv") }
  }

  var writer: UserOutput { UserOutput(output, isRaw: raw) }
}
