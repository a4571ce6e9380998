import ArgumentParser
import Foundation

/// Measures the store and the hasher, each beside raw SQLite or libargon2 in the same run.
@main
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "user-service-bench",
    abstract: "Measures the store and the hasher, each beside raw SQLite or libargon2 in the same run.",
    discussion: """
      Costs are CPU time of this process, user and system, for one operation. Rates are wall-clock and include
      waiting for the disk. Databases are made in a temporary folder under --directory and removed afterwards.
      """)

  @Option(help: "Users in the database that is read.")
  var users = 100_000

  @Option(help: "Repetitions of the point read.")
  var reads = 200_000

  @Option(help: "Users created one at a time, for each number of concurrent writers.")
  var creates = 5_000

  @Option(help: "Numbers of concurrent writers to measure the creates with.")
  var writers = [1, 8, 64]

  @Option(help: "Where the databases are made; its disk is what the writes are measured on.")
  var directory = "bench-results"

  @Option(help: ArgumentHelp("Run only these parts: reads, scan, creates, bulk, hash.", valueName: "part"))
  var only: [Part] = []

  enum Part: String, CaseIterable, ExpressibleByArgument {
    case reads, scan, creates, bulk, hash
  }

  func validate() throws {
    for (name, value) in [("users", users), ("reads", reads), ("creates", creates)]
      + writers.map({ ("writers", $0) })
    where value < 1 {
      throw ValidationError("--\(name) must be at least 1")
    }
  }

  func run() async throws {
    let folder = URL(fileURLWithPath: directory).appendingPathComponent("user-service-bench-\(getpid())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    // A folder that stays behind is in one that git ignores.
    defer { try? FileManager.default.removeItem(at: folder) }

    let parts = only.isEmpty ? Part.allCases : only
    var report = Report()
    if parts.contains(.bulk) || parts.contains(.reads) || parts.contains(.scan) {
      let path = folder.appendingPathComponent("users.db").path
      try await BulkBenchmark(path: path, rawPath: path + "-raw", users: users).run(into: &report)
      if parts.contains(.reads) { try await ReadBenchmark(path: path, reads: reads).run(into: &report) }
      if parts.contains(.scan) { try await ScanBenchmark(path: path).run(into: &report) }
    }
    if parts.contains(.creates) {
      try await CreateBenchmark(folder: folder, creates: creates, writers: writers).run(into: &report)
    }
    if parts.contains(.hash) { try await HashBenchmark().run(into: &report) }
  }
}
