import Testing
import UserServiceClient

@Suite struct ServerAddressTests {
  @Test(
    "an address is a name or an IP address with a port, or a path",
    arguments: [
      ("127.0.0.1:1", "127.0.0.1:1"), ("127.0.0.1", "127.0.0.1:50051"), ("[::1]:65535", "[::1]:65535"),
      ("[fe80::1%eth0]", "[fe80::1%eth0]:50051"), ("users.example.com:443", "users.example.com:443"),
      ("localhost", "localhost:50051"), ("user_service:9", "user_service:9"),
      ("unix:/run/u s", "unix:/run/u s"),
    ])
  func good(text: String, description: String) {
    #expect(ServerAddress(text)?.description == description)
  }

  @Test(
    "any other text is not an address",
    arguments: [
      "", ":1", "host:", "host:0", "host:65536", "host:-1", "host:+1", "host:1:2", "::1", "[::1", "[::1]x",
      "[host]:1", "1.2.3:1", "1.2.3.256:1", "1.2.3.4.5:1", "unix:", "unix:\u{0}", "http://host:1", "a b:1",
      "é:1",
      "host:१",
    ])
  func bad(text: String) {
    #expect(ServerAddress(text) == nil)
  }
}
