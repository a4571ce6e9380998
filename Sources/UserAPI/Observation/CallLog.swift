public import Logging

/// The log of calls: one line for each when it ends, with method, status, duration, peer, principal and
/// request id.
///
/// The request id is the client's `x-request-id`, if it is 1 to 64 letters, digits, dots, hyphens or
/// underscores, or else a random one. Messages and other metadata are never logged.
public struct CallLog: Sendable {
  static let level = Logger.Level.info
  let logger: Logger

  /// Lines go to `logger` at level info. nil if it does not take them.
  public init?(_ logger: Logger) {
    guard logger.logLevel <= Self.level else { return nil }
    self.logger = logger
  }
}
