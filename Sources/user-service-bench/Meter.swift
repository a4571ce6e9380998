import Foundation

/// The cost of some work: CPU time of the whole process, and wall-clock time.
struct Meter {
  let cpuSeconds: Double
  let wallSeconds: Double

  init(_ work: () async throws -> Void) async rethrows {
    let cpu = Self.read(CLOCK_PROCESS_CPUTIME_ID)
    let wall = Self.read(CLOCK_MONOTONIC)
    try await work()
    cpuSeconds = Self.read(CLOCK_PROCESS_CPUTIME_ID) - cpu
    wallSeconds = Self.read(CLOCK_MONOTONIC) - wall
  }

  func cpuMicroseconds(per count: Int) -> Double { cpuSeconds * 1_000_000 / Double(count) }
  func rate(of count: Int) -> Double { Double(count) / wallSeconds }

  private static func read(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1_000_000_000
  }
}

extension [Double] {
  /// The median.
  var median: Double { sorted()[count / 2] }
}
