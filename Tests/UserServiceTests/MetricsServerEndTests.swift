import Foundation
import Logging
import PrometheusMetrics
import TestSupport
import Testing

@testable import UserServiceApp

@Suite(.tags(.io), .timeLimit(.minutes(10))) struct MetricsServerEndTests {
  @Test("a metrics server that ends by itself is told of in the log, and the service goes on")
  func end() async throws {
    let log = RecordedLog()
    let (bound, tell) = AsyncStream.makeStream(of: String.self)
    let server = MetricsServer(
      host: "127.0.0.1", port: 0, registry: PrometheusRegistry(), logger: log.logger()
    ) { tell.yield("\($0)") }
    let run = Task { try await server.run() }
    let address = try #require(await bound.first { _ in true })
    let port = try #require(address.split(separator: ":").last.flatMap { Int($0) })
    // As its socket breaks under it.
    #expect(shutdown(try #require(Self.listener(port)), Int32(SHUT_RDWR)) == 0)
    try await run.value
    #expect(log.lines.map(\.message) == ["the metrics server has stopped"])
    #expect(log.lines.map(\.level) == [.error])
  }

  /// The descriptor of this process that listens on `port`.
  private static func listener(_ port: Int) -> Int32? {
    (0..<4_096).first { descriptor in
      var address = sockaddr_in()
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let result = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
      }
      var listens: Int32 = 0
      var size = socklen_t(MemoryLayout<Int32>.size)
      return result == 0 && address.sin_family == AF_INET && Int(address.sin_port.bigEndian) == port
        && getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0
    }
  }
}
