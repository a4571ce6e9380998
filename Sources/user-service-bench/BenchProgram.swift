import ArgumentParser

/// The benchmark, and the server that it measures in a separate process.
@main
struct BenchProgram: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "user-service-bench", abstract: "Measures the service beside its yardsticks.",
    subcommands: [BenchCommand.self, BenchServerCommand.self], defaultSubcommand: BenchCommand.self)
}
