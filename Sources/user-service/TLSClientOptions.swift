import ArgumentParser
import UserServiceClient

/// Whom a command trusts, and who it is, when it connects with TLS: the same for every command that does.
struct TLSClientOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Use TLS, and trust these authorities, PEM.", valueName: "path"))
  var tlsCA: String?
  @Option(help: ArgumentHelp("A client certificate for mutual TLS, PEM.", valueName: "path"))
  var tlsCert: String?
  @Option(help: ArgumentHelp("The client certificate's key, PEM.", valueName: "path"))
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
