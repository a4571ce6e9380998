import Foundation

/// The tokens of somebody who has signed in, kept fresh.
actor SignedInSession: AccessTokenProvider {
  typealias Refresh = @Sendable (_ refreshToken: String) async throws -> Tokens

  private(set) var tokens: Tokens
  private let refresh: Refresh
  private let changed: @Sendable (Tokens?) -> Void
  private let now: @Sendable () -> Date
  private var refreshing: Task<Tokens, any Error>?

  /// - Parameters:
  ///   - refresh: exchanges a refresh token.
  ///   - changed: is told of new tokens, and with nil that there will be none any more.
  init(
    _ tokens: Tokens, refresh: @escaping Refresh, changed: @escaping @Sendable (Tokens?) -> Void,
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
        changed(fresh)
      case .failure(UserServiceError.unauthenticated):
        changed(nil)
      case .failure:
        // The service did not answer; the refresh token is still good.
        break
      }
    }
    return try result.get()
  }
}
