import ArgumentParser

/// `--output`, the same for every command that shows users.
struct OutputOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case table, json, csv
  }

  @Option(
    help: ArgumentHelp("table, json (an object a line) or csv.", valueName: "format"))
  var output = Format.table

  var writer: UserOutput { UserOutput(output) }
}
