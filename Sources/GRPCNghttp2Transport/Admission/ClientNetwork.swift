import NIOCore
import Primitives

/// The network of a client, by which connections are limited.
///
/// An IPv4 address counts alone, an IPv6 address as its /64, the smallest block that a customer has. All Unix-domain
/// sockets count as one.
struct ClientNetwork: Hashable, Sendable {
  private enum Kind: UInt8 {
    case ipv4, ipv6, unix
  }

  private let kind: Kind
  /// The IPv4 address, or the first 64 bits of the IPv6 address, in network byte order.
  private let prefix: UInt64
  /// Whether its connections come from this machine: by its loopback interface or a Unix-domain socket.
  let isLocal: Bool

  /// Returns the network of `address`; an unknown address counts as a Unix-domain socket.
  init(_ address: SocketAddress?) {
    let ip = address?.ipAddress.flatMap { IPAddress($0) }?.unmapped
    isLocal = ip?.isLoopback ?? true
    switch ip {
    case .v4(let number): (kind, prefix) = (.ipv4, UInt64(number))
    case .v6(let high, _): (kind, prefix) = (.ipv6, high)
    case nil: (kind, prefix) = (.unix, 0)
    }
  }
}
