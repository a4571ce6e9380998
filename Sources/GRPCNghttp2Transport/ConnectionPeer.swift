import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// The ends of a connection.
final class ConnectionPeer: Sendable {
  /// `ipv4:127.0.0.1:31415`, `ipv6:[::1]:443` or `unix:/run/socket`, as GRPCCore recommends.
  let remote: String
  let local: String
  let certificate: NIOSSLCertificate?
  /// Whether the connection has ended its calls itself.
  let isCutOff = Atomic(false)

  init(remote: String, local: String, certificate: NIOSSLCertificate? = nil) {
    self.remote = remote
    self.local = local
    self.certificate = certificate
  }

  /// The ends of `channel`, on its event loop; once its handshake is over, if it has one.
  convenience init(_ channel: any Channel) {
    // Without TLS there is no handler to ask.
    let handler = try? channel.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)
    self.init(
      remote: Self.describe(channel.remoteAddress), local: Self.describe(channel.localAddress),
      certificate: handler?.peerCertificate)
  }

  /// `address` as ``remote`` writes it.
  static func describe(_ address: NIOCore.SocketAddress?) -> String {
    switch address {
    case .v4: "ipv4:\(address?.ipAddress ?? ""):\(address?.port ?? 0)"
    case .v6: "ipv6:[\(address?.ipAddress ?? "")]:\(address?.port ?? 0)"
    case .unixDomainSocket: "unix:\(address?.pathname ?? "")"
    case nil: "unknown"
    }
  }
}
