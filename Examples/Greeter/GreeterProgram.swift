import Foundation
import GRPCCore
import GRPCNghttp2Transport
import UnixSignals

/// Serves ``Greeter`` on the loopback interface until SIGTERM or SIGINT. Run it as `greeter-example [PORT]`; without
/// a port it uses any free one.
@main
struct GreeterProgram {
  static func main() async throws {
    guard let port = Int(CommandLine.arguments.dropFirst().first ?? "0"), (0...65_535).contains(port) else {
      print("usage: greeter-example [PORT]")
      exit(2)
    }
    var configuration = Nghttp2ServerTransport.Configuration()
    configuration.maxConnections = 1_000
    let transport = Nghttp2ServerTransport(
      listeners: [Listener(.tcp(host: "127.0.0.1", port: port))], configuration: configuration,
      receiveLimits: Greeter.receiveLimits)
    let server = GRPCServer(transport: transport, services: [Greeter()])
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.serve() }
      group.addTask {
        // Running calls finish; `serve` returns after the last of them.
        for await _ in signals { server.beginGracefulShutdown() }
      }
      let address = try await transport.addresses[0]
      // `print` would buffer the line when standard output is not a terminal.
      FileHandle.standardOutput.write(Data("greeter-example listening on \(address)\n".utf8))
      try await group.next()
      group.cancelAll()
    }
  }
}
