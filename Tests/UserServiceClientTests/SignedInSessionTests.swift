import Foundation
import Synchronization
import Testing

@testable import UserServiceClient

@Suite struct SignedInSessionTests {
  private static let start = Date(timeIntervalSince1970: 1_000_000)

  /// Returns tokens whose access token is valid for a minute.
  private static func tokens(_ number: Int, at date: Date = start) -> Tokens {
    Tokens(
      accessToken: "access \(number)", accessTokenExpiresAt: date.addingTimeInterval(60),
      refreshToken: "refresh \(number)", refreshTokenExpiresAt: date.addingTimeInterval(600))
  }

  /// A clock, and a service that issues tokens with ascending numbers.
  private final class Service: Sendable {
    struct State {
      var now = SignedInSessionTests.start
      var refreshed: [String] = []
      var changes: [Tokens?] = []
      var failure: UserServiceError?
    }

    let state = Mutex(State())

    func session() -> SignedInSession {
      SignedInSession(tokens(0)) { refreshToken in
        try self.state.withLock { state in
          if let failure = state.failure { throw failure }
          state.refreshed.append(refreshToken)
          return tokens(state.refreshed.count, at: state.now)
        }
      } changed: { _, tokens in
        self.state.withLock { $0.changes.append(tokens) }
      } now: {
        self.state.withLock { $0.now }
      }
    }
  }

  @Test("a token is used until shortly before it expires, then refreshed and reported")
  func refresh() async throws {
    let service = Service()
    let session = service.session()
    #expect(try await session.accessToken(replacing: nil) == "access 0")
    service.state.withLock { $0.now += 57 }
    #expect(try await session.accessToken(replacing: nil) == "access 0")
    service.state.withLock { $0.now += 2 }
    #expect(try await session.accessToken(replacing: nil) == "access 1")
    #expect(try await session.accessToken(replacing: nil) == "access 1")
    #expect(service.state.withLock { $0.refreshed } == ["refresh 0"])
    #expect(service.state.withLock { $0.changes } == [Self.tokens(1, at: Self.start + 59)])
  }

  @Test("a refused token is refreshed, unless a newer one exists")
  func refused() async throws {
    let service = Service()
    let session = service.session()
    #expect(try await session.accessToken(replacing: "access 0") == "access 1")
    #expect(try await session.accessToken(replacing: "access 0") == "access 1")
    #expect(service.state.withLock { $0.refreshed } == ["refresh 0"])
  }

  @Test("concurrent callers exchange the refresh token once")
  func atOnce() async throws {
    let service = Service()
    let session = service.session()
    service.state.withLock { $0.now += 60 }
    try await withThrowingTaskGroup(of: String?.self) { group in
      for _ in 0..<100 { group.addTask { try await session.accessToken(replacing: nil) } }
      for try await token in group { #expect(token == "access 1") }
    }
    #expect(service.state.withLock { $0.refreshed } == ["refresh 0"])
  }

  @Test("an ended session is reported; an unreachable service is called again")
  func failure() async throws {
    let service = Service()
    let session = service.session()
    service.state.withLock { ($0.now, $0.failure) = (Self.start + 60, .unavailable("")) }
    await #expect(throws: UserServiceError.unavailable("")) { try await session.accessToken(replacing: nil) }
    #expect(service.state.withLock { $0.changes }.isEmpty)
    service.state.withLock { $0.failure = .unauthenticated(.revoked) }
    await #expect(throws: UserServiceError.unauthenticated(.revoked)) {
      try await session.accessToken(replacing: nil)
    }
    #expect(service.state.withLock { $0.changes } == [nil])
    service.state.withLock { $0.failure = nil }
    #expect(try await session.accessToken(replacing: nil) == "access 1")
  }

  @Test("the description of tokens does not contain them")
  func description() {
    #expect(!"\(Self.tokens(1))".contains("access 1") && !"\(Self.tokens(1))".contains("refresh 1"))
  }
}
