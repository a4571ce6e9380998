import GRPCCore

/// Tells a log and metrics of calls.
public struct CallObserver: Sendable {
  private let log: CallLog?
  private let metrics: CallMetrics?

  /// nil if there is nobody to tell.
  public init?(log: CallLog?, metrics: CallMetrics?) {
    if log == nil, metrics == nil { return nil }
    self.log = log
    self.metrics = metrics
  }

  /// The observer of one method's calls.
  subscript(method: MethodDescriptor) -> MethodObserver {
    MethodObserver(method: method, log: log, metrics: metrics?[method])
  }
}

/// Tells a log and metrics of one method's calls.
struct MethodObserver: Sendable {
  let method: MethodDescriptor
  let log: CallLog?
  let metrics: MethodMetrics?

  /// A call has arrived. Nobody is told of it before it has started.
  func arrived(_ metadata: @autoclosure () -> Metadata, peer: @autoclosure () -> String) -> ObservedCall {
    ObservedCall(
      record: log.map { CallRecord(metadata(), method: method, peer: peer(), $0) }, metrics: metrics)
  }
}

/// A call from its arrival to its end.
struct ObservedCall: Sendable {
  /// What the log will say of it; nil if calls are not logged.
  let record: CallRecord?
  private let metrics: MethodMetrics?
  private let arrival = ContinuousClock.now

  init(record: CallRecord?, metrics: MethodMetrics?) {
    self.record = record
    self.metrics = metrics
  }

  /// It is this call that will be answered.
  func started() {
    metrics?.callStarted()
  }

  /// It has been answered, or has failed.
  func ended(_ error: (any Error)?) {
    let duration = ContinuousClock.now - arrival
    let code: RPCError.Code? = error.map { error in
      (error as? RPCError)?.code ?? (error as? any RPCErrorConvertible)?.rpcErrorCode ?? .unknown
    }
    metrics?.callEnded(code.map { Status.Code($0) } ?? .ok, after: duration)
    record?.ended(code, error, after: duration)
  }
}
