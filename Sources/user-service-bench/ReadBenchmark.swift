import GRDBSQLite
import UserDomain
import UserStoreSQLite

/// Looks users up by id, in random order.
struct ReadBenchmark {
  let path: String
  let reads: Int

  func run(into report: inout Report) async throws {
    let repository = try SQLiteUserRepository(.file(path))
    var ids: [UserID] = []
    var listing = try await UserListing(repository: repository, after: nil, pageSize: 1_000)
    while let page = try await listing.nextPage() { ids += page.map(\.id) }
    let targets = (0..<reads).map { _ in ids.randomElement()! }

    let ours = try await Meter {
      for id in targets {
        guard try repository.user(id: id) != nil else {
          throw RawDatabase.Failure(description: "no user \(id)")
        }
      }
    }
    try await repository.close()

    let database = try RawDatabase(path)
    let statement = try database.prepare(RawDatabase.readSQL)
    defer { sqlite3_finalize(statement) }
    var total = 0
    let raw = try await Meter {
      for id in targets { total &+= try database.read(id, with: statement) }
    }
    precondition(total != 0)
    report.line(
      "point read among \(ids.count) users", ours: ours.cpuMicroseconds(per: reads),
      raw: raw.cpuMicroseconds(per: reads), unit: "µs CPU/read")
  }
}
