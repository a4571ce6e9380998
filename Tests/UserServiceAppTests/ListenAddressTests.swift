import GRPCNghttp2Transport
import Testing

@testable import UserServiceApp

@Suite struct ListenAddressTests {
  @Test(
    "an address is an IP address and a port, or the path of a socket",
    arguments: [
      ("127.0.0.1:50051", .tcp(host: "127.0.0.1", port: 50_051)), ("[::1]:0", .tcp(host: "::1", port: 0)),
      ("localhost:65535", .tcp(host: "127.0.0.1", port: 65_535)),
      ("[fe80::1%lo]:1", .tcp(host: "fe80::1%lo", port: 1)), ("unix:/run/a", .unix(path: "/run/a")),
      ("unix:a:b", .unix(path: "a:b")),
    ] as [(String, ListenAddress)])
  func parsed(text: String, address: ListenAddress) {
    #expect(ListenAddress(text) == address)
  }

  @Test(
    "a name, a port out of bounds or an address without a port is not an address",
    arguments: [
      "", ":", ":1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:65536", "127.0.0.1:http",
      "127.1:1",
      "256.0.0.1:1", "example.com:1", "::1:1", "[127.0.0.1]:1", "[::1]", "[::1:1", "unix:", "127.0.0.1:1:1",
    ])
  func refused(text: String) {
    #expect(ListenAddress(text) == nil)
  }

  @Test(
    "two addresses are the same if a process cannot listen at both",
    arguments: [
      ("127.0.0.1:1", "127.0.0.1:1", true), ("127.0.0.1:0", "127.0.0.1:0", false),
      ("127.0.0.1:1", "127.0.0.1:2", false), ("[::1]:1", "[0:0:0:0:0:0:0:1]:1", true),
      ("127.0.0.1:1", "[::1]:1", false), ("unix:/run/a", "unix:/run/../run/./a", true),
      ("unix:/run/a", "unix:/run/b", false), ("unix:/run/a", "127.0.0.1:1", false),
    ])
  func same(first: String, second: String, isSame: Bool) throws {
    let (first, second) = (try #require(ListenAddress(first)), try #require(ListenAddress(second)))
    #expect(first.isSame(as: second) == isSame)
    #expect(second.isSame(as: first) == isSame)
  }

  @Test(
    "only this machine reaches loopback addresses and sockets",
    arguments: [
      ("127.0.0.1:1", true), ("127.255.0.9:1", true), ("[::1]:1", true), ("unix:a", true),
      ("0.0.0.0:1", false), ("[::]:1", false), ("10.0.0.1:1", false),
    ])
  func local(text: String, isLocal: Bool) {
    #expect(ListenAddress(text)?.isLocal == isLocal)
  }

  @Test(
    "a client on the same machine reaches a service on all addresses through the loopback address",
    arguments: [
      ("0.0.0.0:7", "127.0.0.1:7"), ("[::]:7", "[::1]:7"), ("10.0.0.1:7", "10.0.0.1:7"), ("unix:a", "unix:a"),
    ])
  func reachable(text: String, reachable: String) {
    #expect(ListenAddress(text)?.reachable.description == reachable)
  }
}
