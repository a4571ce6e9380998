import ArgumentParser
import Foundation

/// Measures the service, its store and its hasher, each beside its yardstick in the same run.
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

  @Option(help: "Read from a database with this many users.")
  var users = 100_000

  @Option(
    help: """
      Grow the database of the part 'scale' from 10000 users, by factors of ten, up to this many, with which the part \
      'life' begins.
      """)
  var scaleUsers = 1_000_000

  @Option(help: "Repeat the point read this many times.")
  var reads = 200_000

  @Option(help: "Call GetUser this many times.")
  var calls = 200_000

  @Option(help: "Create this many users one at a time, for each number of concurrent writers.")
  var creates = 5_000

  @Option(help: "Create users with these numbers of concurrent writers.")
  var writers = [1, 8, 64]

  @Option(
    help: """
      Measure over this store. With postgres, the service is measured beside libpq alone, over the server whose URI is in \
      USER_SERVICE_BENCH_POSTGRES; './dev bench' starts one.
      """)
  var store = Store.sqlite

  enum Store: String, CaseIterable, ExpressibleByArgument {
    case sqlite, postgres
  }

  @Option(help: "Make the databases in this folder; the writes are measured on its disk.")
  var directory = "bench-results"

  @Option(
    help: ArgumentHelp(
      "Run only these parts: reads, scan, transport, gets, service, life, writes, start, memory, creates, bulk, hash, token, scale.",
      valueName: "part")
  )
  var only: [Part] = []

  enum Part: String, CaseIterable, ExpressibleByArgument {
    case reads, scan, transport, gets, service, life, writes, start, memory, creates, bulk, hash, token, scale
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
    // A folder left behind is in a place that git ignores.
    defer { try? FileManager.default.removeItem(at: folder) }

    if store == .postgres { return try await measurePostgres(in: folder) }
    let parts = only.isEmpty ? Part.allCases : only
    var report = Report()
    if !Set([.bulk, .reads, .scan, .transport, .gets, .service, .start, .memory]).isDisjoint(with: parts) {
      let path = folder.appendingPathComponent("users.db").path
      try await BulkBenchmark(path: path, rawPath: path + "-raw", users: users).run(into: &report)
      if parts.contains(.reads) { try await ReadBenchmark(path: path, reads: reads).run(into: &report) }
      if parts.contains(.scan) { try await ScanBenchmark(path: path).run(into: &report) }
      if parts.contains(.transport) {
        try await TransportBenchmark(folder: folder, database: path, users: users, requests: calls)
          .run(into: &report)
      }
      if parts.contains(.start) { try StartBenchmark(database: path, users: users).run(into: &report) }
      if parts.contains(.gets) {
        try await GetUserBenchmark(folder: folder, database: path, users: users, requests: calls / 8)
          .run(into: &report)
      }
      if parts.contains(.service) {
        try await ServiceBenchmark(folder: folder, database: path, users: users, requests: calls / 4)
          .run(into: &report)
      }
      if parts.contains(.memory) {
        let database = path + "-raw"
        try await MemoryBenchmark(folder: folder, database: database, users: users, requests: calls / 4)
          .run(into: &report)
      }
    }
    if parts.contains(.writes) {
      try await WriteBenchmark(folder: folder, users: users, creates: creates).run(into: &report)
    }
    if parts.contains(.creates) {
      try await CreateBenchmark(folder: folder, creates: creates, writers: writers).run(into: &report)
    }
    if parts.contains(.hash) { try await HashBenchmark().run(into: &report) }
    if parts.contains(.life) {
      try await LifeBenchmark(folder: folder, users: scaleUsers, requests: calls / 8).run(into: &report)
    }
    if parts.contains(.scale) {
      try await ScaleBenchmark(
        folder: folder, results: URL(fileURLWithPath: directory), users: scaleUsers, requests: calls / 4
      ).run(into: &report)
    }
    if parts.contains(.token) { try await TokenBenchmark(checks: 1_000_000).run(into: &report) }
  }

  private func measurePostgres(in folder: URL) async throws {
    guard let uri = ProcessInfo.processInfo.environment["USER_SERVICE_BENCH_POSTGRES"] else {
      throw ValidationError(
        "--store postgres needs the URI of an empty database in USER_SERVICE_BENCH_POSTGRES")
    }
    var report = Report()
    try await PostgresBenchmark(folder: folder, uri: uri, users: users, calls: calls, creates: creates)
      .run(into: &report)
  }
}
