public import GRPCCore
import NIOCore
import NIOPosix
public import NIOSSL
import Synchronization

extension Nghttp2ServerTransport {
  /// What a handler's `ServerContext.transportSpecific` is on this transport.
  public struct Context: ServerContext.TransportSpecific {
    let peer: Peer
    /// `distantFuture` for never.
    private let end: NIODeadline

    init(peer: Peer, deadline: NIODeadline) {
      self.peer = peer
      end = deadline
    }

    /// The certificate that the client has presented and that was verified; nil without mutual TLS.
    public var peerCertificate: NIOSSLCertificate? { peer.certificate }

    /// When the call's deadline passes, as its `grpc-timeout` said when it arrived; nil for never.
    public var deadline: ContinuousClock.Instant? {
      end == .distantFuture ? nil : .now + .nanoseconds((end - .now()).nanoseconds)
    }

    /// Whether the call was cancelled because the grace time of a shutdown, or of its connection's age, was over.
    public var isCutOff: Bool { peer.isCutOff.load(ordering: .relaxed) }

    /// Whether the call's deadline has passed.
    public var deadlineHasPassed: Bool { end <= .now() }
  }

  /// The ends of a connection.
  final class Peer: Sendable {
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
}
