import GRPCNIOTransportHTTP2

/// What protects a connection.
public enum ConnectionSecurity: Hashable, Sendable {
  /// Nothing: for the loopback interface and Unix sockets. Tokens and passwords can be read on the way.
  case cleartext
  /// TLS 1.2 or 1.3.
  case tls(TLS = TLS())

  /// How the service is recognised, and how the client shows who it is. Files are in PEM.
  public struct TLS: Hashable, Sendable {
    /// The authorities that may have signed the service's certificate; nil for those of the system.
    public var authoritiesFile: String?
    /// The name that the service's certificate must have, if not the IP address that is connected to; nil for the name
    /// that is connected to.
    public var serverName: String?
    /// Whether the certificate's name is compared. Without that anybody with a certificate of the authorities
    /// can pose as the service.
    public var verifiesServerName = true
    /// The client's certificate for mutual TLS, with those that lead to its authority; nil for none.
    public var certificateFile: String?
    /// The private key of the client's certificate.
    public var keyFile: String?

    /// TLS with the authorities of the system and without a client certificate.
    public init() {}
  }

  var transportSecurity: HTTP2ClientTransport.Posix.TransportSecurity {
    switch self {
    case .cleartext: .plaintext
    case .tls(let tls):
      .tls { settings in
        settings.trustRoots =
          tls.authoritiesFile.map { .certificates([.file(path: $0, format: .pem)]) } ?? .systemDefault
        settings.serverCertificateVerification =
          tls.verifiesServerName ? .fullVerification : .noHostnameVerification
        settings.certificateChain = tls.certificateFile.map { [.file(path: $0, format: .pem)] } ?? []
        settings.privateKey = tls.keyFile.map { .file(path: $0, format: .pem) }
      }
    }
  }

  var serverName: String? {
    if case .tls(let tls) = self { tls.serverName } else { nil }
  }
}
