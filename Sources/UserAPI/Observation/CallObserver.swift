import GRPCCore
import UserDomain

/// Reports calls to a log and to metrics.
public struct CallObserver: Sendable {
  private let log: CallLog?
  private let metrics: CallMetrics?

  /// Nil for a log or metrics that are not kept.
  public init(log: CallLog?, metrics: CallMetrics?) {
    self.log = log
    self.metrics = metrics
  }

  /// Returns the observer of calls of `method`.
  ///
  /// - Parameter isInline: whether the method's calls can take the inline road, and inline answers are counted.
  func observer(of method: MethodDescriptor, isInline: Bool) -> MethodObserver {
    MethodObserver(method: method, log: log, metrics: metrics?.metrics(of: method, isInline: isInline))
  }
}

/// Reports one method's calls to a log and to metrics.
final class MethodObserver: Sendable {
  private let method: MethodDescriptor
  private let log: CallLog?
  private let metrics: MethodMetrics?

  init(method: MethodDescriptor, log: CallLog?, metrics: MethodMetrics?) {
    self.method = method
    self.log = log
    self.metrics = metrics
  }

  /// Observes a call that has arrived. It is reported once it has started.
  func arrived(_ metadata: @autoclosure () -> Metadata, peer: @autoclosure () -> String) -> ObservedCall {
    ObservedCall(
      record: log.map { CallRecord(metadata(), method: method, peer: peer(), $0) }, metrics: metrics)
  }
}

/// A call from its arrival to its end.
struct ObservedCall: Sendable {
  /// The call's log record; nil if calls are not logged.
  private let record: CallRecord?
  private let metrics: MethodMetrics?
  /// Nil if nothing is told of the call.
  private let arrival: ContinuousClock.Instant?

  init(record: CallRecord?, metrics: MethodMetrics?) {
    self.record = record
    self.metrics = metrics
    arrival = record == nil && metrics == nil ? nil : .now
  }

  /// Reports that the call has started: it will be answered, `inline` or by its handler.
  func started(inline: Bool = false) {
    metrics?.callStarted(inline: inline)
  }

  /// Records the bearer of the call's valid token, nil without one, whether the call is permitted or not.
  func identified(_ bearer: @autoclosure () -> Principal?) {
    if let record, let bearer = bearer() { record.principal = bearer }
  }

  /// Reports that the call has been answered, or has failed with `status`.
  func ended(_ status: RPCError?) {
    guard let arrival else { return }
    let duration = ContinuousClock.now - arrival
    metrics?.callEnded(status.map { Status.Code($0.code) } ?? .ok, after: duration)
    record?.ended(status, after: duration)
  }
}
