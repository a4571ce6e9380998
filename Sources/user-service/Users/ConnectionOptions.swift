import ArgumentParser
import Foundation
import UserServiceClient

/// The address, TLS and credentials of a command's connection, shared by every command that makes one.
struct ConnectionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Connect to the service at HOST:PORT or unix:PATH. (default: USER_SERVICE_ADDRESS, or 127.0.0.1:50051)",
      valueName: "address"))
  var address: String?
  @Flag(help: "Use TLS, and trust the system's authorities.")
  var tls = false
  @OptionGroup var identity: TLSClientOptions
  @Option(
    help: ArgumentHelp(
      "Expect this name in the service's certificate instead of the address's.", valueName: "name"))
  var tlsServerName: String?
  @Option(
    help: ArgumentHelp(
      "Read the access token from this file. (default: USER_SERVICE_TOKEN, or the last sign-in)",
      valueName: "path"))
  var tokenFile: String?
  @Option(help: ArgumentHelp("Let a call take at most this long.", valueName: "duration"))
  var timeout = DurationArgument(.seconds(5))

  func validate() throws {
    _ = try serverAddress
    if timeout.duration <= .zero { throw ValidationError("--timeout must be more than 0") }
  }

  var serverAddress: ServerAddress {
    get throws {
      let name = address == nil ? "USER_SERVICE_ADDRESS" : "--address"
      guard let found = ServerAddress(address ?? Self.environment("USER_SERVICE_ADDRESS") ?? "127.0.0.1")
      else {
        throw ValidationError("\(name) must be HOST:PORT or unix:PATH")
      }
      return found
    }
  }

  private static func environment(_ name: String) -> String? {
    ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }

  private var security: ConnectionSecurity {
    guard tls || identity.areGiven || tlsServerName != nil else { return .cleartext }
    var settings = identity.settings
    settings.serverName = tlsServerName
    return .tls(settings)
  }

  /// The session of the last sign-in to the service at this address.
  var session: StoredSession {
    get throws { try StoredSession(serverAddress, security) }
  }

  /// Runs `body` with a client that calls with `credentials`, or else with the token that the options or the
  /// environment name, or else with the last sign-in.
  ///
  /// - Parameter needsCaller: whether `body` requires credentials. Otherwise, if the stored sign-in has expired,
  ///   `body` is retried without them.
  func withClient<Result: Sendable>(
    _ credentials: Credentials? = nil, needsCaller: Bool = true,
    _ body: (UserServiceClient) async throws -> Result
  ) async throws -> Result {
    let address = try serverAddress
    var configuration = UserServiceClient.Configuration(address, security: security)
    configuration.timeout = timeout.duration
    configuration.idleTimeout = max(configuration.idleTimeout, timeout.duration)
    configuration.retries.attemptTimeout = timeout.duration / 2
    let session = try session
    configuration.tokensChanged = { tokens in session.keep(tokens) }
    let caller = try credentials ?? self.credentials(session)
    configuration.credentials = caller
    if configuration.security == .cleartext, !address.isLocal {
      Terminal.note("warning: without TLS, tokens and passwords can be read on the way to \(address)")
    }
    do {
      return try await withUserServiceClient(configuration, body)
    } catch UserServiceError.unauthenticated(let problem) where credentials == nil {
      switch caller {
      case .tokens where !needsCaller: return try await withClient(.anonymous, body)
      case .tokens: Terminal.note("The last sign-in at \(address) has expired; sign in again.")
      case .anonymous:
        Terminal.note(
          "Sign in with 'user-service sign-in', or give a token with --token-file or USER_SERVICE_TOKEN.")
      case .accessToken, .provider: break
      }
      throw UserServiceError.unauthenticated(problem)
    }
  }

  private func credentials(_ session: StoredSession) throws -> Credentials {
    if let tokenFile {
      return .accessToken(try SmallFile.line(tokenFile))
    }
    if let token = Self.environment("USER_SERVICE_TOKEN") { return .accessToken(token) }
    return try session.tokens.map { .tokens($0) } ?? .anonymous
  }
}
