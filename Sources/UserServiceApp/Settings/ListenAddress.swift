import Foundation
public import GRPCNghttp2Transport
import Primitives

/// An address to listen on: `127.0.0.1:50051`, `[::1]:50051`, `localhost:0` or `unix:/run/users.sock`.
/// Port 0 stands for any free port.
public typealias ListenAddress = Listener.Address

extension Listener.Address {
  /// Parses `HOST:PORT` or `unix:PATH`, or returns nil. Host names other than `localhost` are rejected.
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
    } else if host.contains(":") {
      return nil
    }
    guard IPAddress(host) != nil else { return nil }
    self = .tcp(host: host, port: port)
  }

  /// Whether a process cannot listen at both: they have the same IP address and port, or the same path. Addresses
  /// with port 0 never conflict.
  func isSame(as other: Listener.Address) -> Bool {
    switch (self, other) {
    case (.tcp(let host, let port), .tcp(let otherHost, let otherPort)):
      port != 0 && port == otherPort && IPAddress(host) == IPAddress(otherHost)
    case (.unix(let path), .unix(let other)): Self.absolute(path) == Self.absolute(other)
    case (.tcp, .unix), (.unix, .tcp): false
    }
  }

  /// Whether only this machine can reach the address.
  var isLocal: Bool {
    switch self {
    case .tcp(let host, _): host.hasPrefix("127.") || host == "::1"
    case .unix: true
    }
  }

  /// Resolves links, `.` and `..` in the folder of `path`.
  private static func absolute(_ path: String) -> String {
    let url = URL(fileURLWithPath: path).standardizedFileURL
    return url.deletingLastPathComponent().resolvingSymlinksInPath()
      .appendingPathComponent(url.lastPathComponent).path
  }

  /// The address for clients on the same machine: the loopback address if the service listens on every address.
  public var reachable: Listener.Address {
    switch self {
    case .tcp("0.0.0.0", let port): .tcp(host: "127.0.0.1", port: port)
    case .tcp("::", let port): .tcp(host: "::1", port: port)
    default: self
    }
  }
}
