package import Foundation

/// Timestamps in RFC 3339, always in UTC: `2026-11-23T02:36:03.000Z`.
public enum RFC3339 {
  /// The number of digits of a second.
  public enum Precision: Int, Sendable {
    case seconds = 0
    case milliseconds = 3
    case microseconds = 6
  }

  /// Returns the text of the time `microseconds` after 1970-01-01T00:00:00Z. Digits beyond `precision` are cut off, so
  /// the text is never later than the time.
  public static func text(microsecondsSinceEpoch microseconds: Int64, _ precision: Precision) -> String {
    let (quotient, remainder) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
    // Before 1970 the remainder is negative.
    let (seconds, fraction) =
      remainder < 0 ? (quotient - 1, remainder + 1_000_000) : (quotient, remainder)
    let text = Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(.iso8601)
    if precision == .seconds { return text }
    let digits = String(1_000_000 + fraction).dropFirst().prefix(precision.rawValue)
    return text.dropLast() + ".\(digits)Z"
  }
}

extension Date {
  /// Returns the text of the date, rounded to the nearest microsecond and then cut to `precision`.
  package func rfc3339(_ precision: RFC3339.Precision) -> String {
    RFC3339.text(
      microsecondsSinceEpoch: Int64((timeIntervalSince1970 * 1_000_000).rounded()), precision)
  }
}
