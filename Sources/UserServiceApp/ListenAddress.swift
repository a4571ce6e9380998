/// A TCP address to listen on, as `127.0.0.1:50051`, `[::1]:50051` or `localhost:0`. Port 0 is any free port.
public struct ListenAddress: Hashable, Sendable {
  /// An IPv4 or IPv6 address, without brackets.
  public let host: String
  /// The port, 0 to 65535.
  public let port: Int

  /// Parses `HOST:PORT`, or returns nil. Names other than `localhost` are not looked up.
  public init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"),
      let port = Int(text[text.index(after: colon)...]), (0...65_535).contains(port)
    else { return nil }
    var host = String(text[..<colon])
    if host == "localhost" { host = "127.0.0.1" }
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = String(host.dropFirst().dropLast())
      guard host.contains(":") else { return nil }
    } else if host.contains(":") || !host.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }) {
      return nil
    }
    guard !host.isEmpty else { return nil }
    self.host = host
    self.port = port
  }

  /// Where a client on the same machine finds it: the loopback address, if it listens on every address.
  public var reachable: ListenAddress {
    switch host {
    case "0.0.0.0": ListenAddress("127.0.0.1:\(port)") ?? self
    case "::": ListenAddress("[::1]:\(port)") ?? self
    default: self
    }
  }

  var isIPv6: Bool { host.contains(":") }
}

extension ListenAddress: CustomStringConvertible {
  /// `HOST:PORT`, with brackets around an IPv6 address.
  public var description: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
