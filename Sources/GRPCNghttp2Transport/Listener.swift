import NIOCore

/// An address that a transport listens on, with or without TLS.
public struct Listener: Sendable {
  /// An address to listen on.
  public enum Address: Hashable, Sendable, CustomStringConvertible {
    /// An IPv4 or IPv6 address and a port; port 0 stands for any free one.
    case tcp(host: String, port: Int)
    /// The path of a Unix-domain socket. A socket on which no process listens is replaced.
    case unix(path: String)

    /// `HOST:PORT`, with brackets around an IPv6 address, or `unix:PATH`.
    public var description: String {
      switch self {
      case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
      case .unix(let path): "unix:\(path)"
      }
    }
  }

  /// The address to listen on.
  public let address: Address
  /// The server's identity; nil for cleartext HTTP/2 with prior knowledge (RFC 9113 §3.3).
  public let security: TLSIdentity?

  /// Creates a listener at `address`.
  public init(_ address: Address, security: TLSIdentity? = nil) {
    self.address = address
    self.security = security
  }
}

extension Listener.Address {
  /// Returns the address with the port that the system has assigned.
  func bound(to address: NIOCore.SocketAddress?) -> Listener.Address {
    guard case .tcp(let host, _) = self, let port = address?.port else { return self }
    return .tcp(host: host, port: port)
  }
}
