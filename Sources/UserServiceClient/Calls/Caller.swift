import GRPCCore
import GRPCNIOTransportHTTP2
import Synchronization

/// Makes calls: adds deadlines and tokens, and retries.
struct Caller: Sendable {
  let client: GRPCClient<HTTP2ClientTransport.Posix>
  let configuration: UserServiceClient.Configuration

  /// One attempt at a call.
  struct Attempt: Sendable {
    let metadata: Metadata
    let options: CallOptions
    /// Set by a call that makes progress before it ends.
    let progress: Progress
  }

  /// Whether a call has made progress.
  final class Progress: Sendable {
    private let hasMoved = Atomic<Bool>(false)

    func note() { hasMoved.store(true, ordering: .relaxed) }

    fileprivate func take() -> Bool { hasMoved.exchange(false, ordering: .relaxed) }
  }

  /// The properties of a call that its retries depend on.
  private struct Kind {
    let subject: UserServiceError.Subject
    let tokens: (any AccessTokenProvider)?
    /// Whether the call may be retried.
    let isRepeatable: Bool
    /// The deadline of the call; nil for a stream.
    var deadline: ContinuousClock.Instant?

    var remaining: Duration? { deadline.map { $0 - .now } }
  }

  /// Makes a call with a single response, within the configured time-out or `longest`, whichever is shorter.
  func call<Value: Sendable>(
    _ subject: UserServiceError.Subject = .other, tokens: (any AccessTokenProvider)?,
    isRepeatable: Bool = true, longest: Duration = .seconds(1 << 40),
    _ body: @Sendable (Attempt) async throws -> Value
  ) async throws(UserServiceError) -> Value {
    let deadline = ContinuousClock.now + min(configuration.timeout, longest)
    return try await make(
      Kind(subject: subject, tokens: tokens, isRepeatable: isRepeatable, deadline: deadline), body)
  }

  /// Makes a streaming call, which lasts as long as the service shows activity.
  func stream<Value: Sendable>(
    _ subject: UserServiceError.Subject = .other, tokens: (any AccessTokenProvider)?,
    isRepeatable: Bool = true, _ body: @escaping @Sendable (Attempt, IdleLimit) async throws -> Value
  ) async throws(UserServiceError) -> Value {
    try await make(Kind(subject: subject, tokens: tokens, isRepeatable: isRepeatable)) { attempt in
      let limit = configuration.idleTimeout
      // A retry first waits for a connection, for at most the time-out of a call with a single response.
      let first = attempt.options.waitForReady == true ? min(configuration.timeout, limit) : limit
      return try await IdleLimit.run(first: first, then: limit) { idle in try await body(attempt, idle) }
    }
  }

  private func make<Value: Sendable>(
    _ kind: Kind, _ body: (Attempt) async throws -> Value
  ) async throws(UserServiceError) -> Value {
    var schedule = RetrySchedule(kind.isRepeatable ? configuration.retries : .never)
    let progress = Progress()
    var refused: String?
    var lastUnavailable: RPCError?
    while true {
      do {
        let token = try await token(kind, replacing: refused)
        if let token, let problem = AccessTokenProblem.description(token) {
          throw UserServiceError.unauthenticated(.malformed(problem))
        }
        // The service would refuse the same token again.
        if let refused, refused == token { throw UserServiceError.unauthenticated(.expired) }
        do {
          return try await body(
            attempt(token, kind.remaining, isRepeated: schedule.attempt > 1, progress))
        } catch let error as RPCError where !Task.isCancelled {
          if progress.take() {
            schedule.progressed()
            refused = nil
          }
          let isExpired = UserServiceError(error) == .unauthenticated(.expired)
          // A call with a single response whose token was refused has changed nothing.
          let isUnchanged = kind.isRepeatable || kind.deadline != nil
          if isExpired, isUnchanged, refused == nil, let token {
            refused = token
            continue
          }
          // A stream has no deadline, but a pause that the service requests is limited by the idle time-out.
          let delay = schedule.failed(
            error.code, error.retryPushback, remaining: kind.remaining ?? configuration.idleTimeout,
            random: .random(in: 0...1))
          guard let delay else {
            // The earlier connection failure says more than the time-out of waiting for a connection.
            throw UserServiceError(
              error.code == .deadlineExceeded ? lastUnavailable ?? error : error, kind.subject)
          }
          if error.code == .unavailable { lastUnavailable = error }
          try await Task.sleep(for: delay)
        }
      } catch {
        throw Task.isCancelled ? .cancelled : UserServiceError(any: error, kind.subject)
      }
    }
  }

  /// Returns the token for the next attempt. Obtaining it counts towards the call's time.
  private func token(_ kind: Kind, replacing refused: String?) async throws -> String? {
    guard let tokens = kind.tokens else { return nil }
    if let fixed = tokens as? FixedAccessToken { return fixed.token }
    let limit = max(kind.remaining ?? configuration.idleTimeout, .zero)
    return try await IdleLimit.run(first: limit, then: limit) { _ in
      try await tokens.accessToken(replacing: refused)
    }
  }

  private func attempt(
    _ token: String?, _ remaining: Duration?, isRepeated: Bool, _ progress: Progress
  ) -> Attempt {
    var metadata: Metadata = [:]
    if let token { metadata.addString("Bearer \(token)", forKey: "authorization") }
    var options = CallOptions.defaults
    options.timeout = remaining.map { max(min($0, configuration.retries.attemptTimeout), .zero) }
    // The first attempt fails at once without a connection; retries wait for one.
    options.waitForReady = isRepeated
    return Attempt(metadata: metadata, options: options, progress: progress)
  }
}

extension UserServiceError {
  fileprivate init(any error: any Error, _ subject: Subject) {
    switch error {
    case let error as UserServiceError: self = error
    case let error as RPCError: self.init(error, subject)
    case is CancellationError: self = .cancelled
    // An error of an application's own token provider.
    default: self = .failed(status: "unknown", message: "\(error)", errorID: nil)
    }
  }
}
