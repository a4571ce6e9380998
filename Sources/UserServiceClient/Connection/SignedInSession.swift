import Foundation

/// The tokens of a signed-in user, refreshed when needed.
actor SignedInSession: AccessTokenProvider {
  typealias Refresh = @Sendable (_ refreshToken: String) async throws -> Tokens

  private var tokens: Tokens
  private let refresh: Refresh
  private let changed: @Sendable (SignedInSession, Tokens?) -> Void
  private let now: @Sendable () -> Date
  private var refreshing: Task<Tokens, any Error>?

  /// - Parameters:
  ///   - refresh: exchanges a refresh token.
  ///   - changed: receives new tokens, or nil when the session has ended.
  init(
    _ tokens: Tokens, refresh: @escaping Refresh,
    changed: @escaping @Sendable (SignedInSession, Tokens?) -> Void,
    now: @escaping @Sendable () -> Date = { Date() }
  ) {
    self.tokens = tokens
    self.refresh = refresh
    self.changed = changed
    self.now = now
  }

  /// The least remaining lifetime, in seconds, with which an access token is used for a call.
  private static let leastRemaining: TimeInterval = 2

  func accessToken(replacing refused: String?) async throws -> String? {
    let isRefused = refused == tokens.accessToken
    let remaining = tokens.accessTokenExpiresAt.timeIntervalSince(now())
    if !isRefused, remaining > Self.leastRemaining { return tokens.accessToken }
    return try await refreshed().accessToken
  }

  /// The tokens after any refresh in progress.
  var newestTokens: Tokens {
    get async {
      guard let refreshing else { return tokens }
      // If the refresh fails, the current tokens are returned.
      return await (try? refreshing.result.get()) ?? tokens
    }
  }

  /// Returns new tokens. Concurrent callers share one exchange of the refresh token.
  private func refreshed() async throws -> Tokens {
    // A separate task, because cancelling one caller must not cancel the refresh for the others.
    let task =
      refreshing
      ?? Task { [tokens, refresh] in try await refresh(tokens.refreshToken) }
    refreshing = task
    let result = await task.result
    if refreshing == task {
      refreshing = nil
      switch result {
      case .success(let fresh):
        tokens = fresh
        changed(self, fresh)
      case .failure(UserServiceError.unauthenticated):
        changed(self, nil)
      case .failure:
        // The service did not answer. If it has used the refresh token, it accepts it once more within 10 seconds.
        break
      }
    }
    return try result.get()
  }
}
