public import GRPCCore

/// When a call's client stops waiting, as its `grpc-timeout` said when the call arrived
/// (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md).
public struct CallDeadline: Sendable {
  private static let key = "grpc-timeout"

  /// The time at which the client stops waiting; nil for never.
  let instant: ContinuousClock.Instant?

  init(_ metadata: Metadata) {
    instant = metadata[stringValues: Self.key].first { _ in true }.flatMap(Self.parse).map { .now + $0 }
  }

  var hasPassed: Bool { instant.map { $0 <= .now } ?? false }

  /// Whether every `grpc-timeout` is 1 to 8 digits and one of `H M S m u n`.
  public static func isWellFormed(_ metadata: Metadata) -> Bool {
    metadata[stringValues: key].allSatisfy { parse($0) != nil }
  }

  private static func parse(_ text: String) -> Duration? {
    guard (2...9).contains(text.utf8.count), let unit = text.last,
      text.utf8.dropLast().allSatisfy({ (0x30...0x39).contains($0) }), let count = Int64(text.dropLast())
    else { return nil }
    switch unit {
    case "H": return .seconds(count * 3_600)
    case "M": return .seconds(count * 60)
    case "S": return .seconds(count)
    case "m": return .milliseconds(count)
    case "u": return .microseconds(count)
    case "n": return .nanoseconds(count)
    default: return nil
    }
  }
}
