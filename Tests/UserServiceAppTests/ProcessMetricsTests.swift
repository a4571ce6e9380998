import Foundation
import PrometheusMetrics
import Testing

@testable import UserServiceApp

@Suite struct ProcessMetricsTests {
  private let registry = PrometheusRegistry()

  init() {
    ProcessMetrics.register(in: registry)
  }

  private func value(_ name: String) throws -> Double {
    let lines = registry.text().split(separator: "\n").filter { $0.hasPrefix("\(name) ") }
    let line = try #require(lines.count == 1 ? lines.first : nil)
    return try #require(line.split(separator: " ").last.flatMap { Double($0) })
  }

  @Test("processor time is what the kernel counts, and grows")
  func processorTime() throws {
    let before = try value("process_cpu_seconds_total")
    var usage = rusage()
    repeat {
      getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    } while Self.seconds(usage) < before + 0.1
    let after = try value("process_cpu_seconds_total")
    // The kernel counts in ticks of 10 ms.
    #expect(after > before && after >= Self.seconds(usage) - 0.02)
  }

  private static func seconds(_ usage: rusage) -> Double {
    [usage.ru_utime, usage.ru_stime].map { Double($0.tv_sec) + Double($0.tv_usec) / 1e6 }.reduce(0, +)
  }

  @Test("resident memory grows with memory that is written to")
  func memory() throws {
    let before = try value("process_resident_memory_bytes")
    let size = 256 << 20
    let block = [UInt8](repeating: 1, count: size)
    let after = try value("process_resident_memory_bytes")
    // Other tests may free some meanwhile.
    #expect(after - before > Double(size / 2))
    withExtendedLifetime(block) {}
  }

  @Test("open descriptors are counted, up to the limit of the process")
  func descriptors() throws {
    let before = try value("process_open_fds")
    let handles = (0..<500).compactMap { _ in FileHandle(forReadingAtPath: "/dev/null") }
    let after = try value("process_open_fds")
    // Other tests may close some meanwhile.
    #expect(handles.count == 500 && after > before + 250)
    var limit = rlimit()
    #expect(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
    #expect(try value("process_max_fds") == Double(limit.rlim_cur))
  }

  @Test("the start time is when the metrics were registered")
  func startTime() throws {
    let start = try value("process_start_time_seconds")
    #expect(abs(Date().timeIntervalSince1970 - start) < 600)
    #expect(try value("process_start_time_seconds") == start)
  }
}
