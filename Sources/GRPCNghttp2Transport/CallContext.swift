public import GRPCCore
import NIOCore
import NIOPosix
public import NIOSSL
import Synchronization

/// What a handler's `ServerContext.transportSpecific` is on this transport.
public struct CallContext: ServerContext.TransportSpecific {
  let peer: ConnectionPeer
  /// `distantFuture` for never.
  private let end: NIODeadline

  init(peer: ConnectionPeer, deadline: NIODeadline) {
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
