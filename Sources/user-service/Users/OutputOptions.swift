import ArgumentParser

/// `--output`, the same for every command that shows users.
struct OutputOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case table, json, csv
  }

  @Option(
    help: ArgumentHelp("table, json (an object a line) or csv.", valueName: "format"))
  var output = Format.table
  @Flag(
    help: """
      With --output csv: write every field as it is, to be imported elsewhere. Without it a field that a spreadsheet \
      would take for a formula (it begins with = + - @ or a tab) gets a ' in front.
      """)
  var raw = false

  func validate() throws {
    if raw, output != .csv { throw ValidationError("--raw goes with --output csv") }
  }

  var writer: UserOutput { UserOutput(output, isRaw: raw) }
}
