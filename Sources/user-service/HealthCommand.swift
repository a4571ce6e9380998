import ArgumentParser
import Foundation
import GRPCCore
import GRPCNghttp2Transport
import Primitives
import UserProtos
import UserServiceApp
import UserServiceClient

/// `user-service health`: one health check, for scripts and containers.
struct HealthCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health",
    abstract: "Check that a running service is serving.",
    discussion: """
      Exits with 0 if it is serving, with 1 if it is not or does not answer within --timeout. With TLS, the name in the \
      certificate is not checked.
      """)

  private static let listen = Setting.named("listen")

  @Option(
    help: ArgumentHelp(
      """
      Connect to the service at HOST:PORT or unix:PATH. (default: the first in \(listen.variable), or \(listen.standard))
      """,
      valueName: "address"))
  var address: String?
  @OptionGroup var tls: TLSClientOptions
  @Option(help: ArgumentHelp("Check this gRPC service; by default the whole server.", valueName: "name"))
  var service = ""
  @Option(help: ArgumentHelp("Wait at most this long for the answer.", valueName: "duration"))
  var timeout = DurationArgument(.seconds(5))

  func run() async throws {
    let environment = ProcessInfo.processInfo.environment
    let listens = environment[Self.listen.variable] ?? Self.listen.standard.description
    let first = listens.split(separator: ",").first.map(String.init) ?? listens
    guard let listen = address.map({ ListenAddress($0) }) ?? ListenAddress(first)?.reachable,
      let target = ServerAddress("\(listen)")
    else {
      throw ValidationError(
        "\(address == nil ? Self.listen.variable : "--address") must be HOST:PORT with an IP address, or unix:PATH"
      )
    }
    try checkFiles()
    let status: Grpc_Health_V1_HealthCheckResponse.ServingStatus
    do {
      status = try await check(target)
    } catch let error as RPCError {
      Terminal.note(Terminal.harmless("\(target): \(words(for: error))"))
      throw ExitCode.failure
    }
    print(status == .serving ? "serving" : "not serving")
    if status != .serving { throw ExitCode.failure }
  }

  private func words(for error: RPCError) -> String {
    switch error.code {
    case .unavailable: "no service answers there; check that it is running, and whether it uses TLS"
    case .deadlineExceeded: "no answer within \(timeout.defaultValueDescription)"
    case .notFound: "the server has no service '\(service)'"
    case .unimplemented: "the server has no health checks: it is not user-service"
    default: "\(error.message) (\(error.code))"
    }
  }

  /// Finds an unusable file before the TLS library does, to report it in this program's words.
  private func checkFiles() throws {
    for path in [tls.tlsCA, tls.tlsCert, tls.tlsKey].compactMap({ $0 }) {
      do {
        _ = try Data(contentsOf: URL(fileURLWithPath: path))
      } catch {
        throw FileFailure("\(path): \(error.fileProblem)")
      }
    }
  }

  private func check(_ target: ServerAddress) async throws -> Grpc_Health_V1_HealthCheckResponse.ServingStatus
  {
    let transport = try UserServiceClient.Configuration(target, security: security).makeTransport()
    return try await withGRPCClient(transport: transport) { client in
      var options = CallOptions.defaults
      options.timeout = timeout.duration
      options.waitForReady = false
      var request = Grpc_Health_V1_HealthCheckRequest()
      request.service = service
      return try await Grpc_Health_V1_Health.Client(wrapping: client).check(request, options: options).status
    }
  }

  private var security: ConnectionSecurity {
    guard tls.areGiven else { return .cleartext }
    var settings = tls.settings
    // The check comes from the same machine, by address; names are for clients that come from elsewhere.
    settings.verifiesServerName = false
    return .tls(settings)
  }
}
