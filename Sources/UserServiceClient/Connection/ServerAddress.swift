import GRPCNIOTransportHTTP2
import Primitives

/// The address of a service: a name or an IP address with a port, or a Unix-domain socket.
public struct ServerAddress: Hashable, Sendable {
  private enum Kind: Hashable, Sendable {
    case ipv4(String, port: Int)
    case ipv6(String, port: Int)
    case name(String, port: Int)
    case unix(path: String)
  }

  /// The port of an address without one.
  public static let defaultPort = 50_051

  private let kind: Kind

  /// Parses `users.example.com:50051`, `127.0.0.1:50051`, `[::1]:50051` or `unix:/run/users.sock`. Without a port,
  /// the port is ``defaultPort``. Returns nil for invalid text.
  public init?(_ text: String) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst("unix:".count))
      guard !path.isEmpty, !path.utf8.contains(0) else { return nil }
      kind = .unix(path: path)
      return
    }
    let isBracketed = text.hasPrefix("[")
    guard let (host, rest) = isBracketed ? Self.bracketed(text) : Self.plain(text) else { return nil }
    guard let port = Self.port(rest) else { return nil }
    if isBracketed {
      kind = .ipv6(host, port: port)
    } else if host.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }) {
      guard case .v4 = IPAddress(host) else { return nil }
      kind = .ipv4(host, port: port)
    } else {
      kind = .name(host, port: port)
    }
  }

  private static func bracketed(_ text: String) -> (String, Substring)? {
    guard let end = text.firstIndex(of: "]") else { return nil }
    let host = text[text.index(after: text.startIndex)..<end]
    guard case .v6 = IPAddress(host) else { return nil }
    return (String(host), text[text.index(after: end)...])
  }

  private static func plain(_ text: String) -> (String, Substring)? {
    let end = text.firstIndex(of: ":") ?? text.endIndex
    let host = text[..<end]
    guard !host.isEmpty, host.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0)) })
    else { return nil }
    return (String(host), text[end...])
  }

  private static func port(_ rest: Substring) -> Int? {
    if rest.isEmpty { return defaultPort }
    guard rest.first == ":", rest.dropFirst().allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
    return Int(rest.dropFirst()).flatMap { (1...65_535).contains($0) ? $0 : nil }
  }

  /// Whether the address is on this machine, so that the traffic cannot be intercepted on a network.
  public var isLocal: Bool {
    switch kind {
    case .ipv4(let host, _), .ipv6(let host, _): IPAddress(host)?.isLoopback ?? false
    case .name(let host, _): host == "localhost"
    case .unix: true
    }
  }

  var target: any ResolvableTarget {
    switch kind {
    case .ipv4(let host, let port): .ipv4(address: host, port: port)
    case .ipv6(let host, let port): .ipv6(address: host, port: port)
    case .name(let host, let port): .dns(host: host, port: port)
    case .unix(let path): .unixDomainSocket(path: path)
    }
  }
}

extension ServerAddress: CustomStringConvertible {
  /// The address in the form that ``init(_:)`` parses.
  public var description: String {
    switch kind {
    case .ipv4(let host, let port), .name(let host, let port): "\(host):\(port)"
    case .ipv6(let host, let port): "[\(host)]:\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }
}
