import Foundation

/// The tokens of somebody who has signed in, kept fresh.
actor SignedInSession: AccessTokenProvider {
  typealias Refresh = @Sendable (_ refreshToken: String) async throws -> Tokens

  private var tokens: Tokens
  private let refresh: Refresh
  private let changed: @Sendable (SignedInSession, Tokens?) -> Void
  private let now: @Sendable () -> Date
  private var refreshing: Task<Tokens, any Error>?

  /// - Parameters:
  ///   - refresh: exchanges a refresh token.
  ///   - changed: is told of new tokens, and with nil that there will be none any more.
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

  /// A token that ends in less than this is not worth a call any more.
  private static let leastRemaining: TimeInterval = 2

  func accessToken(replacing refused: String?) async throws -> String? {
    let isRefused = refused == tokens.accessToken
    let remaining = tokens.accessTokenExpiresAt.timeIntervalSince(now())
    if !isRefused, remaining > Self.leastRemaining { return tokens.accessToken }
    return try await refreshed().accessToken
  }

  /// The tokens, once a refresh that is under way has ended.
  var newestTokens: Tokens {
    get async {
      guard let refreshing else { return tokens }
      // Without an answer, the tokens that there are.
      return await (try? refreshing.result.get()) ?? tokens
    }
  }

  /// New tokens. However many ask at once, the refresh token is exchanged once.
  private func refreshed() async throws -> Tokens {
    // Not the caller's own task: its end must not be the others'.
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
        // The service did not answer. If it has taken the refresh token all the same, it takes it once more within 10
        // seconds.
        break
      }
    }
    return try result.get()
  }
}
