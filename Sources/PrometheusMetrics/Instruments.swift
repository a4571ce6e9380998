import CoreMetrics
import Synchronization

/// The instrument that records a series.
protocol Instrument: AnyObject, Sendable {
  /// Writes the series' lines.
  func write(_ name: String, _ labels: Labels, to text: inout TextFormat)
}

/// A number that only increases.
final class Counter: Instrument, CounterHandler {
  private let cells = ThreadCells(columns: 1)

  func increment(by amount: Int64) {
    // A counter never decreases.
    if amount > 0 { cells.add(UInt64(amount), to: 0) }
  }

  func reset() { cells.reset() }

  func write(_ name: String, _ labels: Labels, to text: inout TextFormat) {
    text.line(name, labels, cells.sum(of: 0))
  }
}

/// A number that is set.
final class Gauge: Instrument, RecorderHandler, MeterHandler {
  private let value = Mutex(0.0)

  func record(_ value: Int64) { set(Double(value)) }
  func record(_ value: Double) { set(value) }
  func set(_ value: Int64) { set(Double(value)) }
  func set(_ value: Double) { self.value.withLock { $0 = value } }
  func increment(by amount: Double) { value.withLock { $0 += amount } }
  func decrement(by amount: Double) { value.withLock { $0 -= amount } }

  func write(_ name: String, _ labels: Labels, to text: inout TextFormat) {
    text.line(name, labels, value.withLock { $0 })
  }
}

/// A number that is computed when it is read.
final class Observable: Instrument {
  private let value: @Sendable () -> Double

  init(value: @escaping @Sendable () -> Double) {
    self.value = value
  }

  func write(_ name: String, _ labels: Labels, to text: inout TextFormat) {
    text.line(name, labels, value())
  }
}

/// The count of values, and their sum.
final class Summary: Instrument, RecorderHandler {
  private let state = Mutex((count: 0, sum: 0.0))

  func record(_ value: Int64) { record(Double(value)) }
  func record(_ value: Double) { state.withLock { $0 = ($0.count + 1, $0.sum + value) } }

  func write(_ name: String, _ labels: Labels, to text: inout TextFormat) {
    let (count, sum) = state.withLock { $0 }
    text.line(name + "_sum", labels, sum)
    text.line(name + "_count", labels, count)
  }
}

/// The count of durations up to each bound, and their sum.
final class DurationHistogram: Instrument, TimerHandler {
  private let bounds: [Double]
  private let nanoseconds: [Int64]
  /// One column per bucket, one for durations above all bounds, and one for the sum in nanoseconds.
  private let cells: ThreadCells

  /// Creates a histogram with these upper bounds, in seconds, ascending.
  init(bounds: [Double]) {
    self.bounds = bounds
    nanoseconds = bounds.map { Int64(($0 * 1_000_000_000).rounded()) }
    cells = ThreadCells(columns: bounds.count + 2)
  }

  func recordNanoseconds(_ duration: Int64) {
    let duration = max(duration, 0)
    // The search starts at the short end: most calls are short, and its cost is negligible for long ones.
    var bucket = 0
    while bucket < nanoseconds.count, nanoseconds[bucket] < duration { bucket += 1 }
    cells.add(1, to: bucket, and: UInt64(duration), to: nanoseconds.count + 1)
  }

  func write(_ name: String, _ labels: Labels, to text: inout TextFormat) {
    var count: UInt64 = 0
    for (bucket, bound) in bounds.enumerated() {
      count += cells.sum(of: bucket)
      text.line(name + "_bucket", labels, extra: "le=\"\(bound)\"", count)
    }
    count += cells.sum(of: bounds.count)
    text.line(name + "_bucket", labels, extra: "le=\"+Inf\"", count)
    text.line(name + "_sum", labels, Double(cells.sum(of: bounds.count + 1)) / 1_000_000_000)
    text.line(name + "_count", labels, count)
  }
}
