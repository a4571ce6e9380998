public import CoreMetrics
public import GRPCCore
import Synchronization

/// The metrics of calls, named as in gRFC A66: `grpc.server.call.started`, and `grpc.server.call.duration` by
/// `grpc.status`, both by `grpc.method`.
public final class CallMetrics: Sendable {
  /// What each is about, by its label.
  public static let help = [
    startedLabel: "Calls that have begun, by method.",
    durationLabel: "Duration of calls that have ended, by method and status.",
  ]

  fileprivate static let startedLabel = "grpc.server.call.started"
  fileprivate static let durationLabel = "grpc.server.call.duration"

  private let methods: [MethodDescriptor: MethodMetrics]

  /// Metrics of calls of `methods`, which `factory` keeps.
  public init(methods: [MethodDescriptor], factory: any MetricsFactory) {
    self.methods = Dictionary(methods.map { ($0, MethodMetrics($0, factory)) }) { first, _ in first }
  }

  subscript(method: MethodDescriptor) -> MethodMetrics? { methods[method] }
}

/// The metrics of one method's calls.
final class MethodMetrics: Sendable {
  private let started: Counter
  private let succeeded: Timer
  /// By status; made when the first call ends with it.
  private let failed = Mutex<[Status.Code: Timer]>([:])
  private let method: String
  private let factory: any MetricsFactory

  fileprivate init(_ method: MethodDescriptor, _ factory: any MetricsFactory) {
    self.method = method.fullyQualifiedMethod
    self.factory = factory
    started = Counter(
      label: CallMetrics.startedLabel, dimensions: [("grpc.method", self.method)], factory: factory)
    succeeded = Self.timer(self.method, .ok, factory)
  }

  func callStarted() {
    started.increment()
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
  /// The name in gRPC's own list (doc/statuscodes.md).
  var canonicalName: String {
    let names = [
      "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
      "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
      "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    ]
    return names.indices.contains(rawValue) ? names[rawValue] : "UNKNOWN"
  }
}
