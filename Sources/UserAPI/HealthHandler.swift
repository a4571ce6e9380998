public import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import UserDomain
public import UserProtos

/// `grpc.health.v1.Health` (github.com/grpc/grpc, doc/health-checking.md).
///
/// Our own rather than that of grpc-swift-extras, whose statuses are set from outside: this one asks its monitor anew at
/// each check.
public struct HealthHandler: Grpc_Health_V1_Health.SimpleServiceProtocol {
  private let monitor: HealthMonitor

  /// The service over `monitor`.
  public init(monitor: HealthMonitor) {
    self.monitor = monitor
  }

  public func check(
    request: Grpc_Health_V1_HealthCheckRequest, context: ServerContext
  ) async throws -> Grpc_Health_V1_HealthCheckResponse {
    guard isKnown(request.service) else { throw GoogleRPCStatus.unknownService }
    return Self.response(monitor.refresh())
  }

  public func list(
    request: Grpc_Health_V1_HealthListRequest, context: ServerContext
  ) async throws -> Grpc_Health_V1_HealthListResponse {
    let response = Self.response(monitor.refresh())
    return .with { list in
      for service in [""] + monitor.services { list.statuses[service] = response }
    }
  }

  public func watch(
    request: Grpc_Health_V1_HealthCheckRequest, response: RPCWriter<Grpc_Health_V1_HealthCheckResponse>,
    context: ServerContext
  ) async throws {
    let isKnown = isKnown(request.service)
    if !isKnown { try await response.write(.with { $0.status = .serviceUnknown }) }
    for await isServing in monitor.watch() where isKnown {
      try await response.write(Self.response(isServing))
    }
    // The watch has ended because the client has gone or because the server drains.
    try Task.checkCancellation()
    throw UserError.shuttingDown
  }

  private func isKnown(_ service: String) -> Bool {
    service.isEmpty || monitor.services.contains(service)
  }

  private static func response(_ isServing: Bool) -> Grpc_Health_V1_HealthCheckResponse {
    .with { $0.status = isServing ? .serving : .notServing }
  }
}
