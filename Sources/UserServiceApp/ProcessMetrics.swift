import Foundation
import PrometheusMetrics

/// What the process uses of the machine, as the kernel tells (proc(5)), under the names that all of Prometheus' client
/// libraries use. Zero where there is no /proc.
enum ProcessMetrics {
  static func register(in registry: PrometheusRegistry) {
    registry.observe(
      "process.cpu.seconds", .counter, help: "User and system CPU time of the process, in seconds."
    ) {
      var usage = rusage()
      // Fails for no argument but a wrong one (getrusage(2)).
      getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
      return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
    registry.observe(
      "process.resident.memory.bytes", .gauge, help: "Resident memory of the process, in bytes."
    ) {
      // The second field, in pages.
      let fields = text("/proc/self/statm").split(separator: " ")
      return fields.count > 1 ? (Double(fields[1]) ?? 0) * Double(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
    registry.observe("process.open.fds", .gauge, help: "Open file descriptors of the process.") {
      // Without /proc there is nothing to count.
      Double((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count ?? 0)
    }
    let start = Date().timeIntervalSince1970
    registry.observe(
      "process.start.time.seconds", .gauge, help: "When the process began, in seconds since 1970."
    ) { start }
  }

  private static func seconds(_ time: timeval) -> Double {
    Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000
  }

  private static func text(_ path: String) -> String {
    // As above.
    (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
  }
}
