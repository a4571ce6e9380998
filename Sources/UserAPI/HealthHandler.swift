public import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import UserProtos

/// `grpc.health.v1.Health` (github.com/grpc/grpc, doc/health-checking.md).
///
/// grpc-swift-extras is not used: its statuses are set from outside. This service asks its monitor at each check.
public struct HealthHandler: Sendable {
  private typealias Methods = Grpc_Health_V1_Health.Method

  private let monitor: HealthMonitor
  private let calls: CallPipeline
  /// The method that streams for as long as the client stays.
  public let watch: HealthWatch

  /// Creates the service over `monitor`; its calls go through `calls`.
  public init(monitor: HealthMonitor, calls: CallPipeline) throws {
    self.monitor = monitor
    self.calls = calls
    watch = try HealthWatch(
      monitor: monitor, pipeline: calls.pipeline(of: Methods.Watch.descriptor, isInline: true))
  }

  /// Registers the handlers of the three methods.
  public func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    calls.register(Methods.Check.descriptor, with: &router, check)
    calls.register(Methods.List.descriptor, with: &router, list)
    watch.register(with: &router)
  }

  func check(
    _ request: Grpc_Health_V1_HealthCheckRequest, by authorization: CallAuthorization
  ) async throws -> Grpc_Health_V1_HealthCheckResponse {
    guard monitor.speaks(for: request.service) else { throw GoogleRPCStatus.unknownService }
    return Grpc_Health_V1_HealthCheckResponse(isServing: await monitor.refresh())
  }

  func list(
    _ request: Grpc_Health_V1_HealthListRequest, by authorization: CallAuthorization
  ) async throws -> Grpc_Health_V1_HealthListResponse {
    let response = Grpc_Health_V1_HealthCheckResponse(isServing: await monitor.refresh())
    return .with { list in
      for service in [""] + monitor.services { list.statuses[service] = response }
    }
  }
}

extension Grpc_Health_V1_HealthCheckResponse {
  fileprivate init(isServing: Bool) {
    self.init()
    status = isServing ? .serving : .notServing
  }
}
