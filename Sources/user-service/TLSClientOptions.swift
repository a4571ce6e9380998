import ArgumentParser
import UserServiceClient

/// The TLS options shared by every command that connects: trusted authorities and the client's certificate.
struct TLSClientOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Use TLS, and trust the authorities in this PEM file.", valueName: "path"))
  var tlsCA: String?
  @Option(
    help: ArgumentHelp("Present the client certificate in this PEM file (mutual TLS).", valueName: "path"))
  var tlsCert: String?
  @Option(
    help: ArgumentHelp("Use the private key in this PEM file with the client certificate.", valueName: "path")
  )
  var tlsKey: String?

  func validate() throws {
    if (tlsCert == nil) != (tlsKey == nil) { throw ValidationError("--tls-cert and --tls-key go together") }
  }

  /// Whether an option asks for TLS.
  var areGiven: Bool { tlsCA != nil || tlsCert != nil }

  /// TLS with the files that the options name.
  var settings: ConnectionSecurity.TLS {
    var settings = ConnectionSecurity.TLS()
    settings.authoritiesFile = tlsCA
    settings.certificateFile = tlsCert
    settings.keyFile = tlsKey
    return settings
  }
}
