import Primitives
import Testing

@Suite struct IPAddressTests {
  @Test(
    "an address is parsed to its bytes and written in canonical form",
    arguments: [
      ("127.0.0.1", .v4(0x7f00_0001), "127.0.0.1"), ("0.0.0.0", .v4(0), "0.0.0.0"),
      ("2001:DB8:0:0:0:0:0:1", .v6(high: 0x2001_0db8_0000_0000, low: 1), "2001:db8::1"),
      ("::", .v6(high: 0, low: 0), "::"), ("fe80::1%eth0", .v6(high: 0xfe80 << 48, low: 1), "fe80::1"),
      ("::ffff:192.0.2.1", .v6(high: 0, low: 0xffff_c000_0201), "::ffff:192.0.2.1"),
    ] as [(String, IPAddress, String)])
  func parsed(text: String, address: IPAddress, canonical: String) {
    #expect(IPAddress(text) == address)
    #expect(address.description == canonical)
  }

  @Test(
    "any other text is refused",
    arguments: [
      "", "localhost", "1.2.3", "1.2.3.256", "1.2.3.4.5", "01.2.3.4", " 1.2.3.4", "1.2.3.4\0", "1.2.3.4%eth0",
      "[::1]", "::1::", ":::", "1:2:3:4:5:6:7", "fe80::1%", "::1\0", "::g", "१.2.3.4",
    ])
  func refused(text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test("a mapped address is unmapped to its IPv4 address, and any other stays the same")
  func unmapped() {
    #expect(IPAddress("::ffff:192.0.2.1")?.unmapped == .v4(0xc000_0201))
    for text in ["192.0.2.1", "::192.0.2.1", "2001:db8::ffff:c000:201"] {
      #expect(IPAddress(text)?.unmapped == IPAddress(text))
    }
  }

  @Test(
    "the loopback networks of both families are local to this machine",
    arguments: [
      ("127.0.0.1", true), ("127.255.0.9", true), ("::1", true), ("::ffff:127.0.0.1", true),
      ("126.0.0.1", false),
      ("::", false), ("::2", false), ("1::1", false),
    ])
  func loopback(text: String, isLoopback: Bool) {
    #expect(IPAddress(text)?.isLoopback == isLoopback)
  }
}
