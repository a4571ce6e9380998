import Crypto

/// The account that a sign-in is for, whether or not there is one: the hash of an address without its
/// differences of letter case.
public struct SignInAccount: Hashable, Sendable {
  /// SHA-256, 32 bytes.
  public let hash: [UInt8]

  /// The account of `email`.
  public init(_ email: EmailAddress) {
    hash = Array(SHA256.hash(data: Array(email.uniquenessKey.utf8)))
  }
}

/// Sign-ins for one account that have not succeeded, in a row.
public struct SignInAttempts: Hashable, Sendable {
  /// How many.
  public let failures: Int
  /// When the last one began.
  public let lastAt: Timestamp

  /// Attempts that may fail before the next one has to wait.
  public static let freeFailures = 4
  /// The longest wait.
  public static let longestWait: Duration = .seconds(60)
  /// After how long without an attempt the count begins anew.
  public static let memory: Duration = .seconds(86_400)

  /// Attempts.
  public init(failures: Int, lastAt: Timestamp) {
    self.failures = failures
    self.lastAt = lastAt
  }

  /// How long after the last attempt the next one has to wait: 1 s after the 5th failure, doubling up to 60
  /// s.
  var wait: Duration {
    guard failures > Self.freeFailures else { return .zero }
    // Beyond 2^6 s it is the longest wait anyway.
    return min(.seconds(1 << min(failures - Self.freeFailures - 1, 6)), Self.longestWait)
  }

  /// How much longer an attempt at `now` has to wait; zero or less if it may begin.
  public func remainingWait(at now: Timestamp) -> Duration {
    // Not longer than the wait itself after the clock has stepped back.
    min(wait, .microseconds((lastAt + wait).microsecondsSinceEpoch - now.microsecondsSinceEpoch))
  }
}
