public import CoreMetrics
import Synchronization

/// A backend of swift-metrics that Prometheus can read.
///
/// A metric's name is its label with `_` for what Prometheus does not take, and the unit or kind at its end:
/// `grpc.server.call.duration` is a timer, and so `grpc_server_call_duration_seconds`, a counter ends with `_total`.
/// Counters and timers take no lock, and threads that record do not wait for each other.
///
/// It makes what `MetricsFactory` requires, and meters too: those that swift-metrics would make of recorders have a
/// distribution, not a value.
///
/// Our own rather than swift-prometheus, which has one lock for each histogram and writes to every bucket under it: each
/// call of every event loop would wait for it.
///
/// Format and names: prometheus.io/docs/instrumenting/exposition_formats, prometheus.io/docs/practices/naming.
public final class PrometheusRegistry: MetricsFactory {
  private struct Family {
    let kind: Kind
    let help: String?
    var series: [Labels: any Instrument] = [:]
  }

  /// Upper bounds of a duration's buckets, in seconds: those for latencies in gRFC A66.
  public static let latencyBuckets: [Double] = [
    0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008,
    0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5,
    0.65, 0.8, 1, 2, 5, 10, 20, 50, 100,
  ]

  private let families = Mutex<[String: Family]>([:])
  private let help: [String: String]

  /// A registry without metrics.
  ///
  /// - Parameter help: what metrics are about, by their labels: a sentence for people.
  public init(help: [String: String] = [:]) {
    self.help = help
  }

  /// A metric whose value is asked for whenever it is read, on any thread; `value` must not wait. A second one of that
  /// name is the program's mistake, and traps.
  public func observe(
    _ label: String, _ kind: ObservableKind, help: String, value: @escaping @Sendable () -> Double
  ) {
    let kind: Kind = kind == .counter ? .counter : .gauge
    let name = kind.name(of: label)
    families.withLock { families in
      precondition(families[name] == nil, "there is a metric \(name) already")
      families[name] = Family(kind: kind, help: help, series: [Labels([]): Observable(value: value)])
    }
  }

  /// Everything, in Prometheus' text format, version 0.0.4.
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

  /// The instrument of that name with those dimensions, made if there is none. A name has one kind: another is the
  /// program's mistake, and traps.
  private func instrument<Made: Instrument>(
    _ label: String, _ dimensions: [(String, String)], _ kind: Kind, make: () -> Made
  ) -> Made {
    let name = kind.name(of: label)
    let labels = Labels(dimensions)
    return families.withLock { families in
      let family = families[name, default: Family(kind: kind, help: help[label])]
      precondition(family.kind == kind, "the metric \(name) is of two kinds")
      families[name] = family
      let instrument = family.series[labels] ?? make()
      guard let made = instrument as? Made else {
        preconditionFailure("the metric \(name) is of two kinds")
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

/// What a metric that is observed may be.
public enum ObservableKind: Sendable {
  /// It only grows.
  case counter
  /// It goes up and down.
  case gauge
}
