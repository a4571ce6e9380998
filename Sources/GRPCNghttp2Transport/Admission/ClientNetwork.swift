import Foundation
import NIOCore

/// The network that a connection comes from, as its share of the connections counts it.
///
/// An IPv4 address counts alone, an IPv6 address as its /64, the least that one customer has. All Unix-domain sockets
/// count as one.
struct ClientNetwork: Hashable, Sendable {
  private enum Kind: UInt8 {
    case ipv4, ipv6, unix
  }

  private let kind: Kind
  /// The IPv4 address, or the first 64 bits of the IPv6 address, in network byte order.
  private let prefix: UInt64
  /// Whether its connections come from this machine: loopback (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3) or Unix-domain.
  let isLocal: Bool

  /// The network of `address`; an unknown address counts as a Unix-domain socket.
  init(_ address: SocketAddress?) {
    switch address {
    case .v4:
      self.init(ipv4: UInt32(Self.number(of: Self.bytes(of: address, AF_INET, count: 4))))
    case .v6:
      let bytes = Self.bytes(of: address, AF_INET6, count: 16)
      let (high, low) = (Self.number(of: bytes.prefix(8)), Self.number(of: bytes.suffix(8)))
      if high == 0, low >> 32 == 0xffff {
        // An IPv4 address, as a socket for both families sees it (RFC 4291 §2.5.5.2).
        self.init(ipv4: UInt32(truncatingIfNeeded: low))
      } else {
        self.init(.ipv6, high, isLocal: high == 0 && low == 1)
      }
    case .unixDomainSocket, nil:
      self.init(.unix, 0, isLocal: true)
    }
  }

  private static func bytes(of address: SocketAddress?, _ family: CInt, count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    // Without the zone of a link-local address. The text is NIO's own, so it is one.
    inet_pton(family, String(address?.ipAddress?.prefix { $0 != "%" } ?? ""), &bytes)
    return bytes
  }

  private static func number(of bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }

  private init(ipv4: UInt32) {
    self.init(.ipv4, UInt64(ipv4), isLocal: ipv4 >> 24 == 127)
  }

  private init(_ kind: Kind, _ prefix: UInt64, isLocal: Bool) {
    self.kind = kind
    self.prefix = prefix
    self.isLocal = isLocal
  }
}
