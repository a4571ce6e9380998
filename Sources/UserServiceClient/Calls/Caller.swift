import GRPCCore
import GRPCNIOTransportHTTP2
import Synchronization

/// Makes calls: gives them their deadlines and tokens, and repeats them.
struct Caller: Sendable {
  let client: GRPCClient<HTTP2ClientTransport.Posix>
  let configuration: UserServiceClient.Configuration

  /// One attempt at a call.
  struct Attempt: Sendable {
    let metadata: Metadata
    let options: CallOptions
    /// To be noted by a call that gets on before it ends.
    let progress: Progress
  }

  /// Whether a call has got on.
  final class Progress: Sendable {
    private let hasMoved = Atomic<Bool>(false)

    func note() { hasMoved.store(true, ordering: .relaxed) }

    fileprivate func take() -> Bool { hasMoved.exchange(false, ordering: .relaxed) }
  }

  /// What a call is.
  private struct Kind {
    let subject: UserServiceError.Subject
    let tokens: (any AccessTokenProvider)?
    /// Whether it may be made again.
    let isRepeatable: Bool
    /// When it ends; nil for a stream.
    var deadline: ContinuousClock.Instant?

    var remaining: Duration? { deadline.map { $0 - .now } }
  }

  /// Makes a call that has one answer, within the configuration's time, or `longest` if that is less.
  func call<Value: Sendable>(
    _ subject: UserServiceError.Subject = .other, tokens: (any AccessTokenProvider)?,
    isRepeatable: Bool = true, longest: Duration = .seconds(1 << 40),
    _ body: @Sendable (Attempt) async throws -> Value
  ) async throws(UserServiceError) -> Value {
    let deadline = ContinuousClock.now + min(configuration.timeout, longest)
    return try await make(
      Kind(subject: subject, tokens: tokens, isRepeatable: isRepeatable, deadline: deadline), body)
  }

  /// Makes a call that may go on, as long as there are signs of the service.
  func stream<Value: Sendable>(
    _ subject: UserServiceError.Subject = .other, tokens: (any AccessTokenProvider)?,
    isRepeatable: Bool = true, _ body: @escaping @Sendable (Attempt, IdleLimit) async throws -> Value
  ) async throws(UserServiceError) -> Value {
    try await make(Kind(subject: subject, tokens: tokens, isRepeatable: isRepeatable)) { attempt in
      let limit = configuration.idleTimeout
      // What is made again has to find the service first, for which it has no longer than a call with one answer.
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
        // The same token again would be refused again.
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
          if isExpired, kind.isRepeatable, refused == nil, let token {
            refused = token
            continue
          }
          // A stream has no end of its own, but nobody wants to wait for an hour because the service says so.
          let delay = schedule.failed(
            error.code, error.retryPushback, remaining: kind.remaining ?? configuration.idleTimeout,
            random: .random(in: 0...1))
          guard let delay else {
            // That there is no connection says more than that the wait for it took too long.
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

  /// The token for the next attempt. What it takes to get one is part of the call's time.
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
    // The first attempt says at once that nobody is there; the next ones wait for somebody to come.
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
    // What an application's own token provider throws.
    default: self = .failed(status: "unknown", message: "\(error)", errorID: nil)
    }
  }
}
