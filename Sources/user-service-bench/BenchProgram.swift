import ArgumentParser

/// The benchmark, and the server that it measures in a process of its own.
@main
struct BenchProgram: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "user-service-bench", abstract: "Measures the service beside what it is compared with.",
    subcommands: [BenchCommand.self, BenchServerCommand.self], defaultSubcommand: BenchCommand.self)
}
