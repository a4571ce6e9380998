import ArgumentParser
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import UserProtos
import UserServiceApp

/// `user-service health`: one health check, for scripts and containers.
struct HealthCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health",
    abstract: "Asks a running service whether it serves.",
    discussion: "Exits with 0 if it does, with 1 if it does not or does not answer within --timeout.")

  @Option(
    help: ArgumentHelp(
      "The service's address. (default: where USER_SERVICE_LISTEN says it listens, or 127.0.0.1:50051)",
      valueName: "host:port"))
  var address: String?
  @Option(help: ArgumentHelp("The name of a gRPC service; the whole server by default.", valueName: "name"))
  var service = ""
  @Option(help: ArgumentHelp("How long to wait for the answer.", valueName: "duration"))
  var timeout = DurationArgument(.seconds(5))

  func run() async throws {
    let listens = ProcessInfo.processInfo.environment["USER_SERVICE_LISTEN"] ?? "127.0.0.1:50051"
    guard let target = address.map(ListenAddress.init) ?? ListenAddress(listens)?.reachable else {
      throw ValidationError(
        "\(address == nil ? "USER_SERVICE_LISTEN" : "--address") must be HOST:PORT with an IP address")
    }
    let status: Grpc_Health_V1_HealthCheckResponse.ServingStatus
    do {
      status = try await check(target)
    } catch let error as RPCError {
      Terminal.note("\(target): \(error.code): \(error.message)")
      throw ExitCode.failure
    }
    print(status == .serving ? "serving" : "not serving")
    if status != .serving { throw ExitCode.failure }
  }

  private func check(_ target: ListenAddress) async throws -> Grpc_Health_V1_HealthCheckResponse.ServingStatus
  {
    let transport = try HTTP2ClientTransport.Posix(
      target: target.host.contains(":")
        ? .ipv6(address: target.host, port: target.port) : .ipv4(address: target.host, port: target.port),
      transportSecurity: .plaintext)
    return try await withGRPCClient(transport: transport) { client in
      var options = CallOptions.defaults
      options.timeout = timeout.duration
      options.waitForReady = false
      var request = Grpc_Health_V1_HealthCheckRequest()
      request.service = service
      return try await Grpc_Health_V1_Health.Client(wrapping: client).check(request, options: options).status
    }
  }
}
