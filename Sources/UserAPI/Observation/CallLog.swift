public import Logging

/// Logs each call when it ends: method, status, duration, peer, principal and request id.
///
/// The request id is the client's `x-request-id` if it is 1 to 64 letters, digits, dots, hyphens or underscores, else a
/// random id. Messages and other metadata are never logged.
public struct CallLog: Sendable {
  static let level = Logger.Level.info
  let logger: Logger

  /// Creates a log that writes to `logger` at level info; nil if the logger drops that level.
  public init?(_ logger: Logger) {
    guard logger.logLevel <= Self.level else { return nil }
    self.logger = logger
  }
}
