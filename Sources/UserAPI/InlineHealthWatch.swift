public import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import Synchronization
import UserDomain
import UserProtos

/// Watch of the health service where its call arrives, without a task: what is kept of it is where to tell of changes.
/// Requests that cannot be decoded it leaves to ``HealthHandler``, which says what is wrong.
public final class InlineHealthWatch: Sendable {
  /// The method.
  public static var method: MethodDescriptor { Grpc_Health_V1_Health.Method.Watch.descriptor }

  private let monitor: HealthMonitor
  private let observer: MethodObserver?
  private let errors: ErrorMapper
  private let admitsCalls: Bool
  private let serving: [UInt8]
  private let notServing: [UInt8]
  private let unknown: [UInt8]

  /// Watch of the services that `monitor` speaks for.
  ///
  /// - Parameters:
  ///   - authorizer: says who may call; nil if all may.
  ///   - observer: hears of the calls that are answered.
  ///   - errors: maps errors to statuses.
  public init(
    monitor: HealthMonitor, authorizer: Authorizer?, observer: CallObserver?, errors: ErrorMapper
  ) throws {
    self.monitor = monitor
    self.observer = observer?[Self.method]
    self.errors = errors
    admitsCalls = authorizer.map { $0.access(to: Self.method) == .everybody } ?? true
    serving = try Self.response(.serving)
    notServing = try Self.response(.notServing)
    unknown = try Self.response(.serviceUnknown)
  }

  private static func response(
    _ status: Grpc_Health_V1_HealthCheckResponse.ServingStatus
  ) throws -> [UInt8] {
    try Grpc_Health_V1_HealthCheckResponse.with { $0.status = status }.serializedBytes()
  }

  /// Takes `call` and returns true, or returns false and has done nothing.
  public func accept<Call: InlineStreamingCall & ~Copyable>(_ call: borrowing Call) -> Bool {
    // Undecodable ones are the handler's to refuse.
    guard admitsCalls,
      let request = try? Grpc_Health_V1_HealthCheckRequest(serializedBytes: Array(call.message))
    else { return false }
    let observed = observer?.arrived(call.metadata, peer: call.remotePeer)
    observed?.started()
    let responses = call.responses
    let isKnown = request.service.isEmpty || monitor.services.contains(request.service)
    if !isKnown { responses.send(unknown) }
    let watch = monitor.watch { [serving, notServing, errors] state in
      switch state {
      case .serves(let isServing):
        if isKnown { responses.send(isServing ? serving : notServing) }
      case .drained:
        let status = errors.status(for: UserError.shuttingDown, of: Self.method, cause: .shutdown)
        observed?.ended(status)
        responses.end(RPCError(mapped: status))
      }
    }
    let cause = call.cause
    call.whenCancelled { [monitor, errors] in
      // At drain the watch is forgotten, and its end told, before this.
      guard let watch, monitor.forget(watch) else { return }
      observed?.ended(
        errors.status(for: CancellationError(), of: Self.method, cause: cause()))
    }
    return true
  }
}
