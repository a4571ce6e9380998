import Primitives

/// The network of a client: what limits and queues count as one caller.
///
/// An IPv4 address counts alone, an IPv6 address as its /64 network, the smallest that a customer gets. All clients on
/// Unix-domain sockets count as one.
public struct PeerNetwork: Hashable, Sendable {
  /// The network's text: `ipv4:127.0.0.1`, `ipv6:2001:db8:0:1`, `unix`.
  public let text: String

  /// Creates the network of `peer`, an address formatted by GRPCCore: `ipv4:127.0.0.1:50051`,
  /// `ipv6:[2001:db8::1]:50051`, `unix:/path`.
  public init(peer: String) {
    text = Self.text(of: peer)
  }

  private static func text(of peer: String) -> String {
    if peer.hasPrefix("ipv4:") { return String(peer[..<(peer.lastIndex(of: ":") ?? peer.endIndex)]) }
    guard peer.hasPrefix("ipv6:["), let address = IPAddress(peer.dropFirst(6).prefix { $0 != "]" }) else {
      return String(peer.prefix { $0 != ":" })
    }
    switch address.unmapped {
    case .v4: return "ipv4:\(address.unmapped)"
    case .v6(let high, _):
      // The first four 16-bit groups are the network.
      let groups = [48, 32, 16, 0].map { String(UInt16(truncatingIfNeeded: high >> $0), radix: 16) }
      return "ipv6:" + groups.joined(separator: ":")
    }
  }
}
