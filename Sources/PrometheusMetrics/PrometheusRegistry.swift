public import CoreMetrics
import Synchronization

/// A backend of swift-metrics that Prometheus can read.
///
/// The name of a metric is its label, with `_` for invalid characters, and the unit or kind at its end. The timer
/// `grpc.server.call.duration` becomes `grpc_server_call_duration_seconds`; a counter ends in `_total`. Counters and
/// timers take no lock, and recording threads do not wait for each other.
///
/// It makes the instruments that `MetricsFactory` requires, and meters: those that swift-metrics would make of
/// recorders have a distribution, not a value.
///
/// swift-prometheus is not used: each histogram has one lock, and writes to every bucket under it. Each call of every
/// event loop would wait for it.
///
/// Format and names: prometheus.io/docs/instrumenting/exposition_formats, prometheus.io/docs/practices/naming.
public final class PrometheusRegistry: MetricsFactory {
  private struct Family {
    let kind: Kind
    let help: String?
    var series: [Labels: any Instrument] = [:]
  }

  /// The upper bounds of a duration's buckets, in seconds: gRFC A66's for latencies.
  public static let latencyBuckets: [Double] = [
    0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008,
    0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5,
    0.65, 0.8, 1, 2, 5, 10, 20, 50, 100,
  ]

  private let families = Mutex<[String: Family]>([:])
  private let help: [String: String]

  /// Creates an empty registry.
  ///
  /// - Parameter help: the help texts of metrics, by their labels.
  public init(help: [String: String] = [:]) {
    self.help = help
  }

  /// Adds a metric whose value is computed when it is read, on any thread; `value` must not block. A duplicate name is
  /// a programming error, and traps.
  public func observe(
    _ label: String, _ kind: ObservableKind, help: String, value: @escaping @Sendable () -> Double
  ) {
    let kind: Kind = kind == .counter ? .counter : .gauge
    let name = kind.name(of: label)
    families.withLock { families in
      precondition(families[name] == nil, "the metric \(name) already exists")
      families[name] = Family(kind: kind, help: help, series: [Labels([]): Observable(value: value)])
    }
  }

  /// Returns all metrics in Prometheus' text format, version 0.0.4.
  public func text() -> String {
    var text = TextFormat()
    for (name, family) in families.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
      text.begin(name, family.kind, help: family.help)
      for (labels, instrument) in family.series.sorted(by: { $0.key < $1.key }) {
        instrument.write(name, labels, to: &text)
      }
    }
    return text.text
  }

  // MARK: MetricsFactory

  public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    instrument(label, dimensions, .counter) { Counter() }
  }

  public func makeRecorder(
    label: String, dimensions: [(String, String)], aggregate: Bool
  ) -> any RecorderHandler {
    if aggregate {
      instrument(label, dimensions, .summary) { Summary() }
    } else {
      instrument(label, dimensions, .gauge) { Gauge() }
    }
  }

  public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    instrument(label, dimensions, .gauge) { Gauge() }
  }

  public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    instrument(label, dimensions, .histogram) { DurationHistogram(bounds: Self.latencyBuckets) }
  }

  public func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
  public func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
  public func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
  public func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

  /// Returns the instrument with this name and these dimensions, and creates a missing one. A name has one kind:
  /// another kind is a programming error, and traps.
  private func instrument<Made: Instrument>(
    _ label: String, _ dimensions: [(String, String)], _ kind: Kind, make: () -> Made
  ) -> Made {
    let name = kind.name(of: label)
    let labels = Labels(dimensions)
    return families.withLock { families in
      let family = families[name, default: Family(kind: kind, help: help[label])]
      precondition(family.kind == kind, "the metric \(name) has two kinds")
      families[name] = family
      let instrument = family.series[labels] ?? make()
      guard let made = instrument as? Made else {
        preconditionFailure("the metric \(name) has two kinds")
      }
      families[name]?.series[labels] = made
      return made
    }
  }

  private func remove(_ handler: AnyObject) {
    families.withLock { families in
      for (name, family) in families {
        for (labels, instrument) in family.series where instrument === handler {
          families[name]?.series[labels] = nil
        }
      }
    }
  }
}

/// The kinds of an observed metric.
public enum ObservableKind: Sendable {
  /// A number that only increases.
  case counter
  /// A number that goes up and down.
  case gauge
}
