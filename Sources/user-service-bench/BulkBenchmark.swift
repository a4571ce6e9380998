import UserDomain
import UserStoreSQLite

/// Loads users in transactions of 1,000 rows, text in, validated.
struct BulkBenchmark {
  let path: String
  let rawPath: String
  let users: Int

  private static let batch = 1_000

  func run(into report: inout Report) async throws {
    let raw = try await RawDatabase.load(users, into: rawPath)
    let samples = (0..<users).map(SampleUser.init)
    let repository = try SQLiteUserRepository(.file(path))
    let ours = try await Meter {
      for start in stride(from: 0, to: users, by: Self.batch) {
        let batch = try samples[start..<min(start + Self.batch, users)].map { try $0.validated }
        for outcome in try await repository.create(batch) { _ = try outcome.get() }
      }
    }
    try await repository.close()
    report.line(
      "bulk insert, \(users) users", ours: ours.cpuMicroseconds(per: users),
      raw: raw.cpuMicroseconds(per: users),
      unit: "µs CPU/row", note: "\(Int(ours.rate(of: users))) rows/s, raw \(Int(raw.rate(of: users)))")
  }
}
