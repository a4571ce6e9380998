import Crypto

/// The account that a password is tried on, existing or not.
public struct SignInAccount: Hashable, Sendable {
  /// The account's key in the store: the 16 bytes of a user's id, or the 32-byte SHA-256 of an address's uniqueness
  /// key.
  public let key: [UInt8]

  /// Returns a user's account. Its key stays the same when the user's address changes.
  public static func user(_ id: UserID) -> SignInAccount {
    SignInAccount(key: id.withUnsafeBytes { Array($0) })
  }

  /// Returns the account of an address that no user has.
  public static func unknown(_ email: EmailAddress) -> SignInAccount {
    SignInAccount(key: Array(SHA256.hash(data: Array(email.uniquenessKey.utf8))))
  }
}

/// The source of password attempts, which has a failure count of its own at each account.
public enum SignInSource: Hashable, Sendable {
  /// Any caller of a network.
  case network(PeerNetwork)
  /// A device that has signed in to the account before, named by the session of that sign-in (OWASP's "device cookie").
  /// Failures of others do not hold it up.
  case device(SessionID)
}

extension PeerNetwork {
  /// The source's key in the store: the first 16 bytes of its text's SHA-256.
  public var key: [UInt8] { Array(SHA256.hash(data: Array(text.utf8)).prefix(16)) }
}

/// Consecutive failed attempts on a password.
public struct SignInAttempts: Hashable, Sendable {
  /// The number of failures.
  public let failures: Int
  /// The time when the check of the last one finished.
  public let lastAt: Timestamp

  /// The failures of one source before its next attempt must wait.
  public static let freeFailures = 4
  /// The maximum wait.
  public static let longestWait: Duration = .seconds(60)
  /// The retention of a network's failure count after its last failure: a day.
  public static let networkRetention: Duration = .seconds(86_400)
  /// The consecutive failures of an account, from all networks, that disable sign-in by password (NIST SP 800-63B-4
  /// §3.2.2).
  public static let accountLimit = 100
  /// The retention of an account's failure count below the limit, after its last failure: 30 days.
  public static let accountRetention: Duration = .seconds(30 * 86_400)
  /// The failures after which a device is no longer known.
  public static let deviceLimit = 20
  /// The maximum number of devices per user. A new one replaces the one used longest ago.
  public static let devicesPerUser = 100
  /// The retention of a known device without a sign-in: 400 days.
  public static let deviceRetention: Duration = .seconds(400 * 86_400)

  /// Creates attempts.
  public init(failures: Int, lastAt: Timestamp) {
    self.failures = failures
    self.lastAt = lastAt
  }

  /// The wait after the last attempt: 1 s after the 5th failure, doubling up to 60 s.
  var wait: Duration {
    guard failures > Self.freeFailures else { return .zero }
    // Beyond 2^6 s the maximum applies.
    return min(.seconds(1 << min(failures - Self.freeFailures - 1, 6)), Self.longestWait)
  }

  /// Returns how much longer an attempt at `now` must wait; zero or less if it may begin.
  ///
  /// A last attempt in the future was stored by a clock that was ahead. Its age is unknown, so nothing waits for it;
  /// the next failure is stored with the correct time.
  public func remainingWait(at now: Timestamp) -> Duration {
    guard lastAt <= now else { return .zero }
    return .microseconds((lastAt + wait).microsecondsSinceEpoch - now.microsecondsSinceEpoch)
  }
}

/// The earlier failures at an account: from one source, and from all networks.
public struct SignInHistory: Hashable, Sendable {
  /// The failures of the source.
  public let source: SignInAttempts
  /// The consecutive failures of the account, from all networks.
  public let accountFailures: Int

  /// Creates a history.
  public init(source: SignInAttempts, accountFailures: Int) {
    self.source = source
    self.accountFailures = accountFailures
  }

  /// The decision on an attempt.
  enum Admission: Hashable {
    case begin
    /// The attempt must wait until another one ends.
    case wait
    case refuse(UserError)
  }

  /// Decides on an attempt, while `running` others of its source and `inAccount` others of its account, from networks,
  /// are being checked. Each counts as failed, so that concurrent attempts are not more than consecutive ones.
  func admission(
    from source: SignInSource, at now: Timestamp, running: Int, inAccount: Int
  ) -> Admission {
    if case .network = source {
      if accountFailures >= SignInAttempts.accountLimit { return .refuse(.signInDisabled) }
      if accountFailures + inAccount >= SignInAttempts.accountLimit {
        return .refuse(.tooManyAttempts(retryAfter: .seconds(1)))
      }
    }
    let wait = self.source.remainingWait(at: now)
    if wait > .zero { return .refuse(.tooManyAttempts(retryAfter: wait)) }
    // After the free failures, attempts run one at a time.
    return running < max(SignInAttempts.freeFailures + 1 - self.source.failures, 1) ? .begin : .wait
  }
}
