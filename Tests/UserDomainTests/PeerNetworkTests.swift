import Testing
import UserDomain

@Suite struct PeerNetworkTests {
  @Test(
    "a peer is its IPv4 address, its IPv6 network of 64 bits, or the socket's kind",
    arguments: [
      ("ipv4:192.0.2.1:31415", "ipv4:192.0.2.1"), ("ipv6:[2001:db8:1:2:3:4:5:6]:443", "ipv6:2001:db8:1:2"),
      ("ipv6:[2001:db8::1]:443", "ipv6:2001:db8:0:0"), ("ipv6:[::1]:443", "ipv6:0:0:0:0"),
      ("ipv6:[1:2:3:4::]:443", "ipv6:1:2:3:4"), ("ipv6:[fe80::1%eth0]:443", "ipv6:fe80:0:0:0"),
      ("ipv6:[::]:443", "ipv6:0:0:0:0"), ("ipv6:[::ffff:192.0.2.1]:443", "ipv4:192.0.2.1"),
      ("unix:/run/x", "unix"),
      ("", ""), ("unknown", "unknown"),
    ])
  func network(peer: String, network: String) {
    #expect(PeerNetwork(peer: peer).text == network)
  }
}
