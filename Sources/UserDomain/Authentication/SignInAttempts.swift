import Crypto

/// The account that a password is tried on, whether or not there is one.
public struct SignInAccount: Hashable, Sendable {
  /// What the store names it by: the 16 bytes of a user's id, or SHA-256 of an address without its differences of
  /// letter case, 32 bytes.
  public let key: [UInt8]

  /// A user's. It stays the same when the user's address changes.
  public static func user(_ id: UserID) -> SignInAccount {
    SignInAccount(key: id.withUnsafeBytes { Array($0) })
  }

  /// That of an address that no user has.
  public static func unknown(_ email: EmailAddress) -> SignInAccount {
    SignInAccount(key: Array(SHA256.hash(data: Array(email.uniquenessKey.utf8))))
  }
}

/// Where a password is tried from: what has a count of failures of its own at each account.
public enum SignInSource: Hashable, Sendable {
  /// Any caller of a network.
  case network(PeerNetwork)
  /// A device that has signed in to the account before, named by the session that it began then (OWASP's "device
  /// cookie"). What others fail at does not hold it up.
  case device(SessionID)
}

extension PeerNetwork {
  /// What the store names it by: the first 16 bytes of SHA-256 of its text.
  public var key: [UInt8] { Array(SHA256.hash(data: Array(text.utf8)).prefix(16)) }
}

/// Passwords that were tried and wrong, in a row.
public struct SignInAttempts: Hashable, Sendable {
  /// How many.
  public let failures: Int
  /// When the last one was answered.
  public let lastAt: Timestamp

  /// Failures of one source before its next attempt has to wait.
  public static let freeFailures = 4
  /// The longest wait.
  public static let longestWait: Duration = .seconds(60)
  /// After how long without a failure the count of a network begins anew: a day.
  public static let memory: Duration = .seconds(86_400)
  /// Failures of an account, from all networks together, that end sign-in by password (NIST SP 800-63B-4 §3.2.2).
  public static let accountLimit = 100
  /// After how long without a failure the count of an account begins anew, unless it has reached the limit: 30 days.
  public static let accountMemory: Duration = .seconds(30 * 86_400)
  /// Failures of one device that end its being known.
  public static let deviceLimit = 20
  /// Devices that a user may have at once; the one that was used longest ago makes room for another.
  public static let devicesPerUser = 100
  /// For how long a device is known without a sign-in: 400 days.
  public static let deviceMemory: Duration = .seconds(400 * 86_400)

  /// Attempts.
  public init(failures: Int, lastAt: Timestamp) {
    self.failures = failures
    self.lastAt = lastAt
  }

  /// How long after the last attempt the next one has to wait: 1 s after the 5th failure, doubling up to 60 s.
  var wait: Duration {
    guard failures > Self.freeFailures else { return .zero }
    // Beyond 2^6 s it is the longest wait anyway.
    return min(.seconds(1 << min(failures - Self.freeFailures - 1, 6)), Self.longestWait)
  }

  /// How much longer an attempt at `now` has to wait; zero or less if it may begin.
  ///
  /// A last attempt in the future was noted by a clock that was ahead. How long ago it was is not known, so nothing
  /// waits for it; the next failure is noted with the right time.
  public func remainingWait(at now: Timestamp) -> Duration {
    guard lastAt <= now else { return .zero }
    return .microseconds((lastAt + wait).microsecondsSinceEpoch - now.microsecondsSinceEpoch)
  }
}

/// What has failed before at an account: from one source, and from all networks.
public struct SignInHistory: Hashable, Sendable {
  /// Failures of the source.
  public let source: SignInAttempts
  /// Failures of the account in a row, from all networks.
  public let accountFailures: Int

  /// A history.
  public init(source: SignInAttempts, accountFailures: Int) {
    self.source = source
    self.accountFailures = accountFailures
  }

  /// What becomes of an attempt that wants to begin.
  enum Admission: Hashable {
    case begin
    /// It has to wait until another one ends.
    case wait
    case refuse(UserError)
  }

  /// Decides about an attempt, while `running` others of its source and `inAccount` others of its account, from
  /// networks, are being checked. Each of these counts as if it had failed, so that attempts at the same time are not
  /// more than those one after another.
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
    // After the free failures it is one at a time.
    return running < max(SignInAttempts.freeFailures + 1 - self.source.failures, 1) ? .begin : .wait
  }
}
