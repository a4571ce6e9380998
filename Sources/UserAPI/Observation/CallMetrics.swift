public import CoreMetrics
import GRPCCore
import Synchronization

/// The metrics of calls by `grpc.method`: `grpc.server.call.started` and `grpc.server.call.duration` by `grpc.status`
/// (both gRFC A66), and the service's own `user_service.calls.inline`.
public final class CallMetrics: Sendable {
  /// The help text of each metric, by its label.
  public static let help = [
    startedLabel: "Calls that have begun, by method.",
    durationLabel: "Duration of calls that have ended, by method and status.",
    inlineLabel: "Calls that were answered inline, without a handler, by method.",
  ]

  fileprivate static let startedLabel = "grpc.server.call.started"
  fileprivate static let durationLabel = "grpc.server.call.duration"
  fileprivate static let inlineLabel = "user_service.calls.inline"

  private let factory: any MetricsFactory

  /// Creates metrics in `factory`.
  public init(factory: any MetricsFactory) {
    self.factory = factory
  }

  /// Returns the metrics of calls of `method`, at 0.
  ///
  /// - Parameter isInline: whether the method's calls can take the inline road, and inline answers are counted.
  func metrics(of method: MethodDescriptor, isInline: Bool) -> MethodMetrics {
    MethodMetrics(method, isInline: isInline, factory)
  }
}

/// The metrics of one method's calls.
final class MethodMetrics: Sendable {
  private let started: Counter
  /// The count of inline answers; nil for a method without an inline road.
  private let inline: Counter?
  private let succeeded: Timer
  /// The durations by status; each timer is made when the first call ends with its status.
  private let failed = Mutex<[Status.Code: Timer]>([:])
  private let method: String
  private let factory: any MetricsFactory

  fileprivate init(_ method: MethodDescriptor, isInline: Bool, _ factory: any MetricsFactory) {
    self.method = method.fullyQualifiedMethod
    self.factory = factory
    let dimensions = [("grpc.method", self.method)]
    started = Counter(label: CallMetrics.startedLabel, dimensions: dimensions, factory: factory)
    inline =
      isInline ? Counter(label: CallMetrics.inlineLabel, dimensions: dimensions, factory: factory) : nil
    succeeded = Self.timer(self.method, .ok, factory)
  }

  func callStarted(inline isInline: Bool) {
    started.increment()
    if isInline { inline?.increment() }
  }

  func callEnded(_ status: Status.Code, after duration: Duration) {
    let (seconds, attoseconds) = duration.components
    let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    if status == .ok {
      succeeded.recordNanoseconds(nanoseconds)
    } else {
      timer(status).recordNanoseconds(nanoseconds)
    }
  }

  private func timer(_ status: Status.Code) -> Timer {
    failed.withLock { failed in
      if let timer = failed[status] { return timer }
      let timer = Self.timer(method, status, factory)
      failed[status] = timer
      return timer
    }
  }

  private static func timer(_ method: String, _ status: Status.Code, _ factory: any MetricsFactory) -> Timer {
    Timer(
      label: CallMetrics.durationLabel,
      dimensions: [("grpc.method", method), ("grpc.status", status.canonicalName)], factory: factory)
  }
}

extension Status.Code {
  /// The status's name in gRPC's own list (doc/statuscodes.md).
  var canonicalName: String {
    let names = [
      "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
      "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
      "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    ]
    return names.indices.contains(rawValue) ? names[rawValue] : "UNKNOWN"
  }
}
