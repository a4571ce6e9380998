/// The network that a client calls from: what limits and queues count as one caller.
///
/// An IPv4 address counts alone, an IPv6 address as its /64 network, which is the least that one customer has. All
/// clients on Unix sockets count as one.
public struct PeerNetwork: Hashable, Sendable {
  /// The network's text: `ipv4:127.0.0.1`, `ipv6:2001:db8:0:1`, `unix`.
  public let text: String

  /// The network of `peer`, an address as GRPCCore writes it: `ipv4:127.0.0.1:50051`, `ipv6:[2001:db8::1]:50051`,
  /// `unix:/path`.
  public init(peer: String) {
    text = Self.text(of: peer)
  }

  private static func text(of peer: String) -> String {
    if peer.hasPrefix("ipv4:") { return String(peer[..<(peer.lastIndex(of: ":") ?? peer.endIndex)]) }
    guard peer.hasPrefix("ipv6:[") else { return String(peer.prefix { $0 != ":" }) }
    // Without the zone of a link-local address.
    let address = peer.dropFirst(6).prefix { $0 != "]" && $0 != "%" }
    // An IPv4 address, as a socket for both families sees it (RFC 4291 §2.5.5.2).
    if address.hasPrefix("::ffff:"), address.contains(".") { return "ipv4:\(address.dropFirst(7))" }
    return "ipv6:" + firstGroups(of: address).joined(separator: ":")
  }

  /// The first 64 bits of an IPv6 address, in groups of 16 (RFC 4291 §2.2).
  private static func firstGroups(of address: Substring) -> ArraySlice<Substring> {
    let halves = address.split(separator: "::", omittingEmptySubsequences: false)
    let head = halves[0].split(separator: ":")
    // The groups that `::` leaves out are zeros; those after it are the last of eight.
    let tail = halves.count > 1 ? halves[1].split(separator: ":") : []
    let zeros = [Substring](repeating: "0", count: max(8 - head.count - tail.count, 0))
    return (head + zeros + tail).prefix(4)
  }
}
