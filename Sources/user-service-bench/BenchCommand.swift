import ArgumentParser
import Foundation

/// Measures the service, its store and its hasher, each beside what it is compared with in the same run.
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Measures the service, its store and its hasher.",
    discussion: """
      Each is measured beside the same work done by raw SQLite, libargon2, nghttpd or grpc-swift's stock transport in \
      the same run. Costs are CPU time of one process, user and system, for one operation: of this process, and of the \
      server for calls, which come from h2load or from this program. Rates are wall-clock and include waiting for the \
      disk. Databases are made in a temporary folder under --directory and removed afterwards.
      """)

  @Option(help: "Users in the database that is read.")
  var users = 100_000

  @Option(
    help: "Users in the largest database of the part 'scale': 10000 and its multiples by ten up to this.")
  var scaleUsers = 1_000_000

  @Option(help: "Repetitions of the point read.")
  var reads = 200_000

  @Option(help: "Calls of GetUser.")
  var calls = 200_000

  @Option(help: "Users created one at a time, for each number of concurrent writers.")
  var creates = 5_000

  @Option(help: "Numbers of concurrent writers to measure the creates with.")
  var writers = [1, 8, 64]

  @Option(help: "Where the databases are made; its disk is what the writes are measured on.")
  var directory = "bench-results"

  @Option(
    help: ArgumentHelp(
      "Run only these parts: reads, scan, transport, service, start, creates, bulk, hash, token, scale.",
      valueName: "part")
  )
  var only: [Part] = []

  enum Part: String, CaseIterable, ExpressibleByArgument {
    case reads, scan, transport, service, start, creates, bulk, hash, token, scale
  }

  func validate() throws {
    for (name, value) in [
      ("users", users), ("reads", reads), ("calls", calls), ("creates", creates),
      ("scale-users", scaleUsers / 10_000),
    ]
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
    if !Set([.bulk, .reads, .scan, .transport, .service, .start]).isDisjoint(with: parts) {
      let path = folder.appendingPathComponent("users.db").path
      try await BulkBenchmark(path: path, rawPath: path + "-raw", users: users).run(into: &report)
      if parts.contains(.reads) { try await ReadBenchmark(path: path, reads: reads).run(into: &report) }
      if parts.contains(.scan) { try await ScanBenchmark(path: path).run(into: &report) }
      if parts.contains(.transport) {
        try await TransportBenchmark(folder: folder, database: path, users: users, requests: calls)
          .run(into: &report)
      }
      if parts.contains(.start) { try StartBenchmark(database: path, users: users).run(into: &report) }
      if parts.contains(.service) {
        try await ServiceBenchmark(
          folder: folder, database: path, users: users, requests: calls / 4, creates: creates
        ).run(into: &report)
      }
    }
    if parts.contains(.creates) {
      try await CreateBenchmark(folder: folder, creates: creates, writers: writers).run(into: &report)
    }
    if parts.contains(.hash) { try await HashBenchmark().run(into: &report) }
    if parts.contains(.scale) {
      try await ScaleBenchmark(
        folder: folder, results: URL(fileURLWithPath: directory), users: scaleUsers, requests: calls / 4
      ).run(into: &report)
    }
    if parts.contains(.token) { try await TokenBenchmark(checks: 1_000_000).run(into: &report) }
  }
}
