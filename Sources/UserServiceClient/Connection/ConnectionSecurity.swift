import GRPCNIOTransportHTTP2

/// The protection of a connection.
public enum ConnectionSecurity: Hashable, Sendable {
  /// No protection, for the loopback interface and Unix sockets. Tokens and passwords can be read in transit.
  case cleartext
  /// TLS 1.2 or 1.3.
  case tls(TLS = TLS())

  /// How the client verifies the service and authenticates itself. Files are in PEM.
  public struct TLS: Hashable, Sendable {
    /// The authorities that may sign the service's certificate; nil for those of the system.
    public var authoritiesFile: String?
    /// The name that the service's certificate must have; nil for the name or IP address of the connection.
    public var serverName: String?
    /// Whether the certificate's name is checked. Without the check, the holder of any certificate of the authorities
    /// can impersonate the service.
    public var verifiesServerName = true
    /// The client's certificate chain for mutual TLS; nil for none.
    public var certificateFile: String?
    /// The private key of the client's certificate.
    public var keyFile: String?

    /// Creates a configuration with the system's authorities and without a client certificate.
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
