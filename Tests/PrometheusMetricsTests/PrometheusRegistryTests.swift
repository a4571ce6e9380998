import CoreMetrics
import PrometheusMetrics
import Testing

@Suite struct PrometheusRegistryTests {
  private let registry = PrometheusRegistry(help: ["calls": "Calls,\nall \\ of them."])

  private var lines: [String] { registry.text().split(separator: "\n").map(String.init) }

  @Test("a counter has a total per combination of dimensions, ordered by name")
  func counter() {
    let dimensions = [("method", "Get"), ("a.b", "c")]
    Counter(label: "calls", dimensions: dimensions, factory: registry).increment(by: 2)
    // The same dimensions again: one series.
    Counter(label: "calls", dimensions: dimensions.reversed(), factory: registry).increment()
    Counter(label: "calls", dimensions: [("method", "Put")], factory: registry).increment()
    #expect(
      lines == [
        #"# HELP calls_total Calls,\nall \\ of them."#, "# TYPE calls_total counter",
        #"calls_total{a_b="c",method="Get"} 3"#, #"calls_total{method="Put"} 1"#,
      ])
  }

  @Test("label values cannot break a line, and names have only characters that Prometheus accepts")
  func escaping() {
    Counter(label: "7.é-total", dimensions: [("x", "a\"b\\c\nd")], factory: registry).increment()
    #expect(lines == ["# TYPE _7___total counter", #"_7___total{x="a\"b\\c\nd"} 1"#])
  }

  @Test("a timer is a histogram in seconds: each bucket counts the durations up to its bound")
  func timer() throws {
    let timer = Timer(label: "call.duration", dimensions: [("m", "Get")], factory: registry)
    // A duration on a bound, above it, above all bounds, and one that a clock set back would give.
    for nanoseconds in [10_000, 10_001, 200_000_000_000, -5] { timer.recordNanoseconds(nanoseconds) }
    #expect(lines[0] == "# TYPE call_duration_seconds histogram")
    let buckets = lines.filter { $0.contains("_bucket") }
    #expect(buckets.count == PrometheusRegistry.latencyBuckets.count + 1)
    #expect(buckets[0] == #"call_duration_seconds_bucket{m="Get",le="0.0"} 1"#)
    #expect(buckets[1] == #"call_duration_seconds_bucket{m="Get",le="1e-05"} 2"#)
    #expect(buckets[2] == #"call_duration_seconds_bucket{m="Get",le="5e-05"} 3"#)
    #expect(buckets[40] == #"call_duration_seconds_bucket{m="Get",le="100.0"} 3"#)
    #expect(buckets[41] == #"call_duration_seconds_bucket{m="Get",le="+Inf"} 4"#)
    #expect(lines.suffix(2).last == #"call_duration_seconds_count{m="Get"} 4"#)
    let sum = try #require(lines.suffix(2).first?.split(separator: " ").last.flatMap { Double($0) })
    #expect(abs(sum - 200.000020001) < 1e-9)
  }

  @Test(
    "gauges are set, meters go up and down, recorders count and sum, and observed values are computed on reading"
  )
  func others() {
    Gauge(label: "a", factory: registry).record(1.5)
    let meter = Meter(label: "b", factory: registry)
    meter.set(5)
    meter.decrement(by: 2)
    let recorder = Recorder(label: "c", factory: registry)
    recorder.record(1)
    recorder.record(2.5)
    registry.observe("d", .counter, help: "D.") { 7 }
    #expect(
      lines == [
        "# TYPE a gauge", "a 1.5", "# TYPE b gauge", "b 3.0", "# TYPE c summary", "c_sum 3.5", "c_count 2",
        "# HELP d_total D.", "# TYPE d_total counter", "d_total 7.0",
      ])
  }

  @Test("a destroyed instrument is gone")
  func destroyed() {
    let counter = Counter(label: "calls", factory: registry)
    counter.increment()
    Counter(label: "others", factory: registry).increment()
    counter.destroy()
    #expect(!lines.contains("calls_total 1") && lines.contains("others_total 1"))
  }

  @Test("no count is lost when many threads count at once")
  func concurrent() async {
    let counter = Counter(label: "calls", factory: registry)
    let timer = Timer(label: "duration", factory: registry)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<10_000 {
            counter.increment()
            timer.recordNanoseconds(1)
          }
        }
      }
    }
    #expect(lines.contains("calls_total 80000") && lines.contains("duration_seconds_count 80000"))
    #expect(lines.contains("duration_seconds_sum 8e-05"))
  }
}
