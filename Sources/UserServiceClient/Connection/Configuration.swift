import GRPCCore
package import GRPCNIOTransportHTTP2

extension UserServiceClient {
  /// How a client reaches the service, and what it does when that is hard.
  public struct Configuration: Sendable {
    /// Where the service is.
    public var address: ServerAddress
    /// What protects the connection.
    public var security: ConnectionSecurity
    /// Who the caller is.
    public var credentials: Credentials
    /// When a call ends that has one answer, its repetitions included; 5 s by default. Also how long a stream that is
    /// repeated waits for the service to come back.
    public var timeout: Duration = .seconds(5)
    /// When a listing, a bulk load or a stream of updates ends that waits for the service without a sign of it;
    /// 30 s by default.
    public var idleTimeout: Duration = .seconds(30)
    /// When calls are repeated that have failed.
    public var retries = RetryPolicy()
    /// How long a connection with calls may be silent before it is pinged; 30 s by default. The service permits
    /// one ping in 10 s.
    public var keepaliveTime: Duration = .seconds(30)
    /// How long the answer to a ping may take before the connection counts as lost; 10 s by default.
    public var keepaliveTimeout: Duration = .seconds(10)
    /// Called with the session's tokens whenever they change: after a sign-in and a refresh, and with nil after a
    /// sign-out or a refresh that is refused. For those who keep them for the next start.
    public var tokensChanged: @Sendable (Tokens?) -> Void = { _ in }
    /// Rows of one call of a bulk load.
    var bulkBatch = 10_000
    /// A refresh token that was used is good for 10 seconds more, for those who have missed the answer; after that, the
    /// service takes whoever has it for a thief, and ends the session. So all attempts at it come before that.
    var longestRefresh: Duration = .seconds(8)

    /// The service at `address`, with the defaults.
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
          // As quick as the calls are repeated: a service that restarts is back within a second.
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
