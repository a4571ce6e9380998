import Foundation
import PrometheusMetrics

/// The process's use of the machine, from proc(5), and its start time, under the names that all Prometheus client
/// libraries use. Values are zero where /proc does not exist.
enum ProcessMetrics {
  static func register(in registry: PrometheusRegistry) {
    registry.observe(
      "process.cpu.seconds", .counter, help: "User and system CPU time of the process, in seconds."
    ) {
      // Fields 14 and 15, in clock ticks. The second field, the program's name, ends at the last parenthesis.
      let stat = text("/proc/self/stat")
      let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
      guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else {
        return 0
      }
      return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
    registry.observe(
      "process.resident.memory.bytes", .gauge, help: "Resident memory of the process, in bytes."
    ) {
      // The second field, in pages.
      let fields = text("/proc/self/statm").split(separator: " ")
      return fields.count > 1 ? (Double(fields[1]) ?? 0) * Double(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
    registry.observe(
      "process.private.memory.bytes", .gauge,
      help: "Memory that the process has written and no file backs, in bytes."
    ) {
      // A line `Anonymous:` with KiB.
      let line = text("/proc/self/smaps_rollup").split(separator: "\n").first {
        $0.hasPrefix("Anonymous:")
      }
      let fields = line?.split(separator: " ") ?? []
      return fields.count > 1 ? (Double(fields[1]) ?? 0) * 1_024 : 0
    }
    registry.observe("process.open.fds", .gauge, help: "Open file descriptors of the process.") {
      // Without /proc the count is zero.
      Double((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count ?? 0)
    }
    registry.observe("process.max.fds", .gauge, help: "Limit of open file descriptors of the process.") {
      var limit = rlimit()
      // Fails only for invalid arguments, and these are valid.
      guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
      return Double(limit.rlim_cur)
    }
    let start = Date().timeIntervalSince1970
    registry.observe(
      "process.start.time.seconds", .gauge, help: "When the service was started, in seconds since 1970."
    ) { start }
  }

  private static func text(_ path: String) -> String {
    // Without /proc the text is empty.
    (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
  }
}
