import GRPCCore
package import GRPCNIOTransportHTTP2

extension UserServiceClient {
  /// The connection to the service, credentials, time-outs and retries.
  public struct Configuration: Sendable {
    /// The address of the service.
    public var address: ServerAddress
    /// The protection of the connection.
    public var security: ConnectionSecurity
    /// The credentials of the caller.
    public var credentials: Credentials
    /// The time-out of a call with a single response, including retries; 5 s by default. It also limits how long the
    /// retry of a stream waits for a connection.
    public var timeout: Duration = .seconds(5)
    /// The time after which a listing, a bulk load or a stream of updates fails if the service shows no activity; 30
    /// s by default.
    public var idleTimeout: Duration = .seconds(30)
    /// The policy for retrying failed calls.
    public var retries = RetryPolicy()
    /// The time after which a silent connection with calls is pinged; 30 s by default. The service permits one ping
    /// every 10 s.
    public var keepaliveTime: Duration = .seconds(30)
    /// The time without an answer to a ping after which the connection counts as lost; 10 s by default.
    public var keepaliveTimeout: Duration = .seconds(10)
    /// Called with the session's tokens when they change, for applications that store them. The argument is nil after
    /// a sign-out or a refused refresh.
    public var tokensChanged: @Sendable (Tokens?) -> Void = { _ in }
    /// The rows of one call of a bulk load.
    var bulkBatch = 10_000
    /// A used refresh token is accepted for another 10 seconds, in case the response was lost. Later use counts as
    /// theft and ends the session, so all attempts at a refresh must end before that.
    var longestRefresh: Duration = .seconds(8)

    /// Creates the default configuration for the service at `address`.
    public init(
      _ address: ServerAddress, security: ConnectionSecurity = .cleartext,
      credentials: Credentials = .anonymous
    ) {
      self.address = address
      self.security = security
      self.credentials = credentials
    }
  }
}

extension UserServiceClient.Configuration {
  /// A transport that connects as the configuration says.
  ///
  /// - Throws: `UserServiceError.failed` if the certificates cannot be read.
  package func makeTransport() throws(UserServiceError) -> HTTP2ClientTransport.Posix {
    do {
      return try HTTP2ClientTransport.Posix(
        target: address.target, transportSecurity: security.transportSecurity,
        config: .defaults { config in
          config.http2.authority = security.serverName
          config.connection.keepalive = .init(
            time: keepaliveTime, timeout: keepaliveTimeout, allowWithoutCalls: false)
          // As short as the pauses between retries: a restarting service is back within a second.
          config.backoff = .init(initial: .milliseconds(100), max: .seconds(10), multiplier: 1.6, jitter: 0.2)
        })
    } catch {
      // GRPCCore's error says that something is wrong; its cause, what.
      let cause = (error as? RuntimeError)?.cause ?? error
      throw .failed(
        status: "configuration", message: "the certificates cannot be used: \(cause)", errorID: nil)
    }
  }
}
