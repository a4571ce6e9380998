import Foundation
import UserDomain
import UserStoreSQLite

/// Reads all users in pages of 1,000, and compares the first tenth with the last.
struct ScanBenchmark {
  let path: String

  func run(into report: inout Report) async throws {
    let repository = try SQLiteUserRepository(.file(path))
    _ = try await walk(repository)
    let (ours, rows, tenths) = try await walk(repository)
    try await repository.close()

    let raw = try await RawDatabase.scanAll(path)
    report.line(
      "keyset scan, \(rows) users", ours: ours.cpuMicroseconds(per: rows),
      raw: raw.cpuMicroseconds(per: rows),
      unit: "µs CPU/row",
      note: tenths.map { String(format: "first tenth %.2f, last tenth %.2f", $0.first, $0.last) } ?? "")
  }

  private typealias Tenths = (first: Double, last: Double)

  private func walk(_ repository: SQLiteUserRepository) async throws -> (Meter, rows: Int, Tenths?) {
    var rows = 0
    var pages: [Double] = []
    let total = try await Meter {
      var listing = try await UserListing(repository: repository, after: nil, pageSize: 1_000)
      var isDone = false
      while !isDone {
        var count = 0
        let page = try await Meter {
          count = try await listing.nextPage()?.count ?? 0
        }
        isDone = count == 0
        rows += count
        if !isDone { pages.append(page.cpuMicroseconds(per: count)) }
      }
    }
    let tenth = pages.count / 10
    guard tenth > 0 else { return (total, rows, nil) }
    let mean = { (pages: ArraySlice<Double>) in pages.reduce(0, +) / Double(pages.count) }
    return (total, rows, (mean(pages.prefix(tenth)), mean(pages.suffix(tenth))))
  }
}
