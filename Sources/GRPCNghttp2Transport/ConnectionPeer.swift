import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// The two endpoints of a connection.
final class ConnectionPeer: Sendable {
  /// The client's address in GRPCCore's recommended form: `ipv4:127.0.0.1:31415`, `ipv6:[::1]:443` or
  /// `unix:/run/socket`.
  let remote: String
  let local: String
  let certificate: NIOSSLCertificate?
  /// Whether the server has ended the connection's calls.
  let isCutOff = Atomic(false)

  init(remote: String, local: String, certificate: NIOSSLCertificate? = nil) {
    self.remote = remote
    self.local = local
    self.certificate = certificate
  }

  /// Reads the endpoints of `channel` on its event loop, after any TLS handshake.
  convenience init(_ channel: any Channel) {
    // Without TLS the pipeline has no such handler.
    let handler = try? channel.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)
    self.init(
      remote: Self.describe(channel.remoteAddress), local: Self.describe(channel.localAddress),
      certificate: handler?.peerCertificate)
  }

  /// Formats `address` like ``remote``.
  static func describe(_ address: NIOCore.SocketAddress?) -> String {
    switch address {
    case .v4: "ipv4:\(address?.ipAddress ?? ""):\(address?.port ?? 0)"
    case .v6: "ipv6:[\(address?.ipAddress ?? "")]:\(address?.port ?? 0)"
    case .unixDomainSocket: "unix:\(address?.pathname ?? "")"
    case nil: "unknown"
    }
  }
}
