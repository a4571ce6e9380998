public import GRPCCore
import NIOCore
import NIOPosix
public import NIOSSL
import Synchronization

/// The value of a handler's `ServerContext.transportSpecific` on this transport.
public struct CallContext: ServerContext.TransportSpecific {
  let peer: ConnectionPeer
  /// The deadline; `distantFuture` means none.
  private let end: NIODeadline

  init(peer: ConnectionPeer, deadline: NIODeadline) {
    self.peer = peer
    end = deadline
  }

  /// The verified certificate of the client; nil without mutual TLS.
  public var peerCertificate: NIOSSLCertificate? { peer.certificate }

  /// The call's deadline, computed from `grpc-timeout` on arrival; nil without one.
  public var deadline: ContinuousClock.Instant? {
    end == .distantFuture ? nil : .now + .nanoseconds((end - .now()).nanoseconds)
  }

  /// Whether the call was cancelled because the grace time of a shutdown or of the connection's maximum age has
  /// passed.
  public var isCutOff: Bool { peer.isCutOff.load(ordering: .relaxed) }

  /// Whether the call's deadline has passed.
  public var deadlineHasPassed: Bool { end <= .now() }
}
