import Foundation
import PrometheusMetrics
import Testing

@testable import UserServiceApp

@Suite struct ProcessMetricsTests {
  /// The metrics of this process in Prometheus' format.
  private struct Page {
    private let registry = PrometheusRegistry()

    init() {
      ProcessMetrics.register(in: registry)
    }

    func value(_ name: String) throws -> Double {
      let lines = registry.text().split(separator: "\n").filter { $0.hasPrefix("\(name) ") }
      let line = try #require(lines.count == 1 ? lines.first : nil)
      return try #require(line.split(separator: " ").last.flatMap { Double($0) })
    }
  }

  @Test("processor time comes from the kernel, and grows")
  func processorTime() throws {
    let page = Page()
    let before = try page.value("process_cpu_seconds_total")
    var usage = rusage()
    repeat {
      getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    } while Self.seconds(usage) < before + 0.1
    let after = try page.value("process_cpu_seconds_total")
    // The kernel counts in ticks of 10 ms.
    #expect(after > before && after >= Self.seconds(usage) - 0.02)
  }

  private static func seconds(_ usage: rusage) -> Double {
    [usage.ru_utime, usage.ru_stime].map { Double($0.tv_sec) + Double($0.tv_usec) / 1e6 }.reduce(0, +)
  }

  // Other tests would affect the values meanwhile, so these two run in a separate process.

  @Test("resident memory counts memory that was written to, not reserved memory")
  func memory() async {
    await #expect(processExitsWith: .success) {
      let page = Page()
      let before = try page.value("process_resident_memory_bytes")
      let size = 64 << 20
      let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
      let reserved = try page.value("process_resident_memory_bytes") - before
      #expect(reserved < Double(size / 2))
      memset(block, 1, size)
      let used = try page.value("process_resident_memory_bytes") - before
      #expect(used >= Double(size) && used < Double(2 * size))
      block.deallocate()
    }
  }

  @Test("open descriptors are counted, and their limit is reported")
  func descriptors() async {
    await #expect(processExitsWith: .success) {
      let page = Page()
      // The first read opens descriptors that stay open.
      _ = try page.value("process_open_fds")
      let before = try page.value("process_open_fds")
      let handles = (0..<100).compactMap { _ in FileHandle(forReadingAtPath: "/dev/null") }
      #expect(try page.value("process_open_fds") == before + 100)
      withExtendedLifetime(handles) {}
      var limit = rlimit()
      #expect(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
      #expect(try page.value("process_max_fds") == Double(limit.rlim_cur))
    }
  }

  @Test("the start time is when the metrics were registered")
  func startTime() throws {
    let page = Page()
    let start = try page.value("process_start_time_seconds")
    #expect(abs(Date().timeIntervalSince1970 - start) < 600)
    #expect(try page.value("process_start_time_seconds") == start)
  }
}
