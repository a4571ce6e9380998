import ArgumentParser
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCNghttp2Transport
import Primitives
import UserProtos
import UserServiceApp

/// `user-service health`: one health check, for scripts and containers.
struct HealthCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health",
    abstract: "Asks a running service whether it serves.",
    discussion: """
      Exits with 0 if it does, with 1 if it does not or does not answer within --timeout. With TLS, whose name is in the \
      certificate is not checked.
      """)

  private static let listen = Setting.named("listen")

  @Option(
    help: ArgumentHelp(
      """
      HOST:PORT or unix:PATH of the service. (default: the first in \(listen.variable), or \(listen.standard))
      """,
      valueName: "address"))
  var address: String?
  @OptionGroup var tls: TLSClientOptions
  @Option(help: ArgumentHelp("The name of a gRPC service; the whole server by default.", valueName: "name"))
  var service = ""
  @Option(help: ArgumentHelp("How long to wait for the answer.", valueName: "duration"))
  var timeout = DurationArgument(.seconds(5))

  func run() async throws {
    let environment = ProcessInfo.processInfo.environment
    let listens = environment[Self.listen.variable] ?? Self.listen.standard.description
    let first = listens.split(separator: ",").first.map(String.init) ?? listens
    guard let target = address.map({ ListenAddress($0) }) ?? ListenAddress(first)?.reachable else {
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
    case .unavailable: "no service answers there; is it running, and with TLS or without as this command?"
    case .deadlineExceeded: "no answer within \(timeout.defaultValueDescription)"
    case .notFound: "the server has no service '\(service)'"
    case .unimplemented: "the server has no health checks: it is another program"
    default: "\(error.message) (\(error.code))"
    }
  }

  /// Finds out what is wrong with a file before the TLS library does, in its own words.
  private func checkFiles() throws {
    for path in [tls.tlsCA, tls.tlsCert, tls.tlsKey].compactMap({ $0 }) {
      do {
        _ = try Data(contentsOf: URL(fileURLWithPath: path))
      } catch {
        throw FileFailure("\(path): \(error.fileProblem)")
      }
    }
  }

  private func check(_ target: ListenAddress) async throws -> Grpc_Health_V1_HealthCheckResponse.ServingStatus
  {
    let transport = try HTTP2ClientTransport.Posix(target: Self.target(target), transportSecurity: security)
    return try await withGRPCClient(transport: transport) { client in
      var options = CallOptions.defaults
      options.timeout = timeout.duration
      options.waitForReady = false
      var request = Grpc_Health_V1_HealthCheckRequest()
      request.service = service
      return try await Grpc_Health_V1_Health.Client(wrapping: client).check(request, options: options).status
    }
  }

  private static func target(_ address: ListenAddress) -> any ResolvableTarget {
    switch address {
    case .tcp(let host, let port) where host.contains(":"): .ipv6(address: host, port: port)
    case .tcp(let host, let port): .ipv4(address: host, port: port)
    case .unix(let path): .unixDomainSocket(path: path)
    }
  }

  private var security: HTTP2ClientTransport.Posix.TransportSecurity {
    guard tls.tlsCA != nil || tls.tlsCert != nil else { return .plaintext }
    return .tls { security in
      if let authorities = tls.tlsCA {
        security.trustRoots = .certificates([.file(path: authorities, format: .pem)])
      }
      // The check comes from the same machine, by address; names are for clients that come from elsewhere.
      security.serverCertificateVerification = .noHostnameVerification
      if let certificate = tls.tlsCert, let key = tls.tlsKey {
        security.certificateChain = [.file(path: certificate, format: .pem)]
        security.privateKey = .file(path: key, format: .pem)
      }
    }
  }
}
