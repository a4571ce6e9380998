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

  /// Makes a call that has one answer, within the configuration's time.
  func call<Value: Sendable>(
    _ subject: UserServiceError.Subject = .other, tokens: (any AccessTokenProvider)?,
    _ body: @Sendable (Attempt) async throws -> Value
  ) async throws(UserServiceError) -> Value {
    try await repeating(subject, tokens, until: .now + configuration.timeout, configuration.retries, body)
  }

  /// Makes a call that may go on, as long as there are signs of the service.
  func stream<Value: Sendable>(
    _ subject: UserServiceError.Subject = .other, tokens: (any AccessTokenProvider)?,
    retries: UserServiceClient.RetryPolicy? = nil,
    _ body: @escaping @Sendable (Attempt, IdleLimit) async throws -> Value
  ) async throws(UserServiceError) -> Value {
    try await repeating(subject, tokens, until: nil, retries ?? configuration.retries) { attempt in
      let limit = configuration.idleTimeout
      // What is made again has to find the service first, for which it has no longer than a call with one answer.
      let first = attempt.options.waitForReady == true ? min(configuration.timeout, limit) : limit
      return try await IdleLimit.run(first: first, then: limit) { idle in try await body(attempt, idle) }
    }
  }

  private func repeating<Value: Sendable>(
    _ subject: UserServiceError.Subject, _ tokens: (any AccessTokenProvider)?,
    until deadline: ContinuousClock.Instant?, _ retries: UserServiceClient.RetryPolicy,
    _ body: (Attempt) async throws -> Value
  ) async throws(UserServiceError) -> Value {
    var schedule = RetrySchedule(retries)
    let progress = Progress()
    var refused: String?
    var lastUnavailable: RPCError?
    while true {
      do {
        let token = try await tokens?.accessToken(replacing: refused)
        // The same token again would be refused again.
        if let refused, refused == token { throw UserServiceError.unauthenticated(.expired) }
        do {
          return try await body(
            attempt(token, deadline.map { $0 - .now }, isRepeated: schedule.attempt > 1, retries, progress))
        } catch let error as RPCError where !Task.isCancelled {
          if progress.take() { (schedule, refused) = (RetrySchedule(retries), nil) }
          if refused == nil, let token, UserServiceError(error) == .unauthenticated(.expired) {
            refused = token
            continue
          }
          let delay = schedule.failed(
            error.code, error.retryPushback, remaining: deadline.map { $0 - .now },
            random: .random(in: 0...1))
          guard let delay else {
            // That there is no connection says more than that the wait for it took too long.
            throw UserServiceError(
              error.code == .deadlineExceeded ? lastUnavailable ?? error : error, subject)
          }
          if error.code == .unavailable { lastUnavailable = error }
          try await Task.sleep(for: delay)
        }
      } catch {
        throw Task.isCancelled ? .cancelled : UserServiceError(any: error, subject)
      }
    }
  }

  private func attempt(
    _ token: String?, _ remaining: Duration?, isRepeated: Bool, _ retries: UserServiceClient.RetryPolicy,
    _ progress: Progress
  ) -> Attempt {
    var metadata: Metadata = [:]
    if let token { metadata.addString("Bearer \(token)", forKey: "authorization") }
    var options = CallOptions.defaults
    options.timeout = remaining.map { max(min($0, retries.attemptTimeout), .zero) }
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
