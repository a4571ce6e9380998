import Foundation
import GRPCNghttp2Transport
import Logging
import PrometheusMetrics
import ServiceLifecycle
import TestSupport
import Testing

@testable import UserServiceApp

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

@Suite(.tags(.io), .timeLimit(.minutes(5))) struct MetricsServerTests {
  private static func server(
    port: Int = 0, _ registry: PrometheusRegistry = PrometheusRegistry(),
    bound: @escaping @Sendable (ListenAddress) -> Void
  ) -> MetricsServer {
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    return MetricsServer(host: "127.0.0.1", port: port, registry: registry, logger: logger, bound: bound)
  }

  /// Runs a server, passes its address to `body`, and then stops it gracefully.
  private static func withServer(
    _ registry: PrometheusRegistry = PrometheusRegistry(), _ body: (ListenAddress) async throws -> Void
  ) async throws {
    let (addresses, bound) = AsyncStream.makeStream(of: ListenAddress.self)
    let services = ServiceGroup(
      services: [server(registry) { bound.yield($0) }],
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        defer { bound.finish() }
        try await services.run()
      }
      for await address in addresses {
        try await body(address)
        await services.triggerGracefulShutdown()
      }
      try await group.waitForAll()
    }
  }

  private static func response(
    of address: ListenAddress, _ path: String, method: String = "GET"
  ) async throws -> (status: Int, type: String?, body: String) {
    var request = URLRequest(url: try #require(URL(string: "http://\(address)\(path)")))
    request.httpMethod = method
    let (body, response) = try await URLSession.shared.data(for: request)
    let http = try #require(response as? HTTPURLResponse)
    return (
      http.statusCode, http.value(forHTTPHeaderField: "content-type"), String(decoding: body, as: UTF8.self)
    )
  }

  @Test("the current metrics are served in Prometheus' text format")
  func metrics() async throws {
    let registry = PrometheusRegistry()
    try await Self.withServer(registry) { address in
      let empty = try await Self.response(of: address, "/metrics")
      #expect(empty.status == 200 && empty.body.isEmpty)
      registry.observe("users", .gauge, help: "Users.") { 7 }
      let response = try await Self.response(of: address, "/metrics")
      #expect(response.status == 200)
      #expect(response.type == "text/plain; version=0.0.4; charset=utf-8")
      #expect(response.body == "# HELP users Users.\n# TYPE users gauge\nusers 7.0\n")
    }
  }

  @Test("nothing else is served", arguments: [("/", "GET"), ("/metrics/x", "GET"), ("/metrics", "POST")])
  func others(path: String, method: String) async throws {
    try await Self.withServer { address in
      let response = try await Self.response(of: address, path, method: method)
      #expect(response.status == 404)
    }
  }

  @Test("an address in use is reported by name")
  func inUse() async throws {
    try await Self.withServer { address in
      guard case .tcp(_, let port) = address else { return }
      let second = Self.server(port: port) { _ in Issue.record("it listens") }
      let error = await #expect(throws: StartError.self) { try await second.run() }
      #expect(error?.description.hasPrefix("cannot listen on \(address) for metrics: ") == true)
    }
  }
}
