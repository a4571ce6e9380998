import ArgumentParser
import Foundation
import GRPCCore
import GRPCNghttp2Transport
// Linked for ThreadSanitizer.
import VisibleMutex

/// Serves gRPC's interoperability test service, so that official clients of other languages can test our transport
/// (github.com/grpc/grpc, doc/interop-test-descriptions.md).
@main
struct InteropServer: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "interop-server", abstract: "Serves grpc.testing.TestService on the loopback address.")

  @Option(help: "Listen on this port; 0 chooses a free one.")
  var port = 0
  @Option(help: ArgumentHelp("Serve with TLS, using this certificate (PEM).", valueName: "path"))
  var tlsCert: String?
  @Option(help: ArgumentHelp("Use this private key of the certificate (PEM).", valueName: "path"))
  var tlsKey: String?

  func run() async throws {
    var security: TLSIdentity?
    if let tlsCert, let tlsKey { security = try TLSIdentity(.init(certificate: tlsCert, key: tlsKey)) }
    var configuration = Nghttp2ServerTransport.Configuration()
    // Compression is for clients that accept it; each message says whether it may be compressed.
    configuration.compression = .gzip
    // Some cases send and expect messages of up to 8 MiB.
    configuration.maxReceiveMessageSize = 16 * 1_024 * 1_024
    let transport = Nghttp2ServerTransport(
      listeners: [Listener(.tcp(host: "127.0.0.1", port: port), security: security)],
      configuration: configuration)
    let server = GRPCServer(transport: transport, services: [TestService()])
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.serve() }
      let address = try await transport.addresses[0]
      FileHandle.standardOutput.write(Data("interop-server listening on \(address)\n".utf8))
      try await group.waitForAll()
    }
  }
}
