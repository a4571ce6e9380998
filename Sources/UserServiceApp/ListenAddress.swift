public import GRPCNghttp2Transport

/// An address to listen on, as `127.0.0.1:50051`, `[::1]:50051`, `localhost:0` or `unix:/run/users.sock`.
/// Port 0 is any free port.
public typealias ListenAddress = Listener.Address

extension Listener.Address {
  /// Parses `HOST:PORT` or `unix:PATH`, or returns nil. Names other than `localhost` are not looked up.
  public init?(_ text: String) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      guard !path.isEmpty else { return nil }
      self = .unix(path: path)
      return
    }
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
    self = .tcp(host: host, port: port)
  }

  /// Where a client on the same machine finds it: the loopback address, if it listens on every address.
  public var reachable: Listener.Address {
    switch self {
    case .tcp("0.0.0.0", let port): .tcp(host: "127.0.0.1", port: port)
    case .tcp("::", let port): .tcp(host: "::1", port: port)
    default: self
    }
  }
}
