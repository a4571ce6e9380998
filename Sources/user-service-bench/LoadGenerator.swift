import Foundation
import Histogram

/// Makes calls over HTTP/2 (RFC 9113) and measures the latency of each. It does little work of its own, so that the
/// server has the processor.
///
/// Like gRPC clients, it sends its header fields once and then as indices (RFC 7541 §6.1), including the token; h2load
/// sends the token in full with each call. It trusts the server: it is not a test.
struct LoadGenerator {
  /// The outcome of the calls.
  struct Outcome {
    let seconds: Double
    /// The latencies of the successful calls, in nanoseconds.
    let latencies: Histogram<UInt64>
    /// The 99th percentile of the latencies, in milliseconds.
    var percentile99: Double { Double(latencies.valueAtPercentile(99)) / 1_000_000 }
    /// The median of the latencies, in microseconds.
    var median: Double { Double(latencies.valueAtPercentile(50)) / 1_000 }
    /// The number of calls that ended without a message, or were reset.
    let failures: Int
    /// The total size of the messages in bytes.
    let bytes: Int
  }

  /// The address as `HOST:PORT`, with an IPv4 address.
  let address: String
  let headers: [(String, String)]
  var connections = 8
  /// The number of concurrent calls on each connection.
  var streams = 32

  /// Returns the header fields of a call.
  static func headers(_ path: String, at address: String, token: String? = nil) -> [(String, String)] {
    [
      (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", address),
      ("content-type", "application/grpc"), ("te", "trailers"), ("user-agent", "user-service-bench"),
    ] + (token.map { [("authorization", "Bearer \($0)")] } ?? [])
  }

  /// Makes `count` calls, or fewer if `isOver` returns true. `body` returns the request of the n-th call; empty for
  /// none.
  func run(
    _ count: Int, isOver: () -> Bool = { false }, body: (Int) -> [UInt8]
  ) throws -> Outcome {
    var next = 0
    var latencies = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
    var failures = 0
    let peers = try (0..<connections).map { _ in try Peer(address, headers) }
    defer { for peer in peers { peer.close() } }

    func start(_ peer: Peer) {
      guard next < count, !isOver() else { return }
      peer.send(body(next))
      next += 1
    }

    let began = DispatchTime.now().uptimeNanoseconds
    for peer in peers {
      for _ in 0..<streams { start(peer) }
      try peer.flush()
    }
    while peers.contains(where: { $0.isBusy }) {
      for peer in try Peer.wait(for: peers.filter(\.isBusy)) {
        for call in try peer.receive() {
          if let latency = call { latencies.record(latency) } else { failures += 1 }
          start(peer)
        }
        try peer.flush()
      }
    }
    let seconds = Double(DispatchTime.now().uptimeNanoseconds - began) / 1_000_000_000
    return Outcome(
      seconds: seconds, latencies: latencies, failures: failures,
      bytes: peers.reduce(0) { $0 + $1.bytes })
  }
}

extension LoadGenerator {
  /// Returns an unused port.
  static func freePort() throws -> UInt16 {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_addr.s_addr = inet_addr("127.0.0.1")
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &name) { name in
      name.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
        bind(socket, name, size) == 0 && getsockname(socket, name, &size) == 0
      }
    }
    guard isBound else { throw RawDatabase.Failure(description: "no port is free") }
    return UInt16(bigEndian: name.sin_port)
  }

  /// Returns once a server listens at `address`. It polls every 10 ms, because nghttpd does not report that it is
  /// ready.
  static func waitUntilServed(_ address: String) throws {
    for _ in 0..<1_000 {
      // The connection is refused until then.
      if let peer = try? Peer(address, []) { return peer.close() }
      usleep(10_000)
    }
    throw RawDatabase.Failure(description: "no server listens at \(address)")
  }
}
