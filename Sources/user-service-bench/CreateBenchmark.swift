import Foundation
import UserDomain
import UserStoreSQLite

/// Creates users one at a time from concurrent tasks, each acknowledged after its fsync.
///
/// Disks are noisy: measurements alternate, are repeated, and medians are reported.
struct CreateBenchmark {
  let folder: URL
  let creates: Int
  let writers: [Int]

  private static let rounds = 5

  func run(into report: inout Report) async throws {
    var raw: [Int: [Meter]] = [:]
    var ours: [Int: [Meter]] = [:]
    for round in 0..<Self.rounds {
      for rows in [1, 64] {
        raw[rows, default: []].append(
          try await RawDatabase.create(creates, rowsPerTransaction: rows, in: folder))
      }
      for count in writers { ours[count, default: []].append(try await create(writers: count, round)) }
    }
    let single = raw[1, default: []].median { $0.rate(of: creates) }
    let grouped = raw[64, default: []].median { $0.rate(of: creates) }
    for count in writers {
      let rate = ours[count, default: []].median { $0.rate(of: creates) }
      report.line(
        "create, \(count) at a time",
        ours: ours[count, default: []].median { $0.cpuMicroseconds(per: creates) },
        raw: raw[count == 1 ? 1 : 64, default: []].median { $0.cpuMicroseconds(per: creates) },
        unit: "µs CPU/user",
        note: String(
          format: "%.0f/s = %.1f × raw with one row a commit (%.0f/s); raw with 64 rows a commit %.0f/s",
          rate, rate / single, single, grouped))
    }
  }

  private func create(writers: Int, _ round: Int) async throws -> Meter {
    let path = folder.appendingPathComponent("create-\(writers)-\(round).db").path
    let repository = try SQLiteUserRepository(.file(path))
    let users = try (0..<creates).map { try SampleUser($0).validated }
    let meter = try await Meter {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for writer in 0..<writers {
          group.addTask {
            for number in stride(from: writer, to: users.count, by: writers) {
              _ = try await repository.create(users[number])
            }
          }
        }
        try await group.waitForAll()
      }
    }
    try await repository.close()
    return meter
  }
}

extension [Meter] {
  /// Returns the median of `value` over the measurements.
  fileprivate func median(_ value: (Meter) -> Double) -> Double {
    map(value).median
  }
}
