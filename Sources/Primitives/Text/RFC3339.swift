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

extension RFC3339 {
  /// Returns the time of `text` in microseconds since 1970-01-01T00:00:00Z, rounded down, and whether that is exact; nil
  /// for text that is not a `date-time` of RFC 3339 §5.6, for dates that no month has, and for leap seconds.
  public static func microseconds(of text: String) -> (microseconds: Int64, isExact: Bool)? {
    var scanner = TimeScanner(text)
    guard let year = scanner.number(4), scanner.take("-"), let month = scanner.number(2), scanner.take("-"),
      let day = scanner.number(2), scanner.take("Tt"), let hour = scanner.number(2), scanner.take(":"),
      let minute = scanner.number(2), scanner.take(":"), let second = scanner.number(2),
      (1...12).contains(month), (1...daysOfMonth(month, year)).contains(day), hour < 24, minute < 60,
      second < 60,
      let (fraction, isExact) = scanner.fraction(), let offset = scanner.offset(), scanner.isAtEnd
    else { return nil }
    let seconds =
      ((days(beforeYear: year) + daysInYear(before: month, day, year)) * 24 + hour) * 3_600 + minute * 60
    return (Int64(seconds + second - offset) * 1_000_000 + Int64(fraction), isExact)
  }

  private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

  private static func daysOfMonth(_ month: Int, _ year: Int) -> Int {
    month == 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
  }

  /// Returns the days from 1970-01-01 to the first day of `year`.
  private static func days(beforeYear year: Int) -> Int {
    // Moved by a cycle of 400 years, 146,097 days, so that no year is negative.
    let years = year + 399
    return years * 365 + years / 4 - years / 100 + years / 400 - 146_097 - 719_162
  }

  private static func daysInYear(before month: Int, _ day: Int, _ year: Int) -> Int {
    (1..<month).reduce(day - 1) { $0 + daysOfMonth($1, year) }
  }
}

/// Scans the parts of a time.
private struct TimeScanner {
  private var rest: Substring.UTF8View

  init(_ text: String) { rest = Substring(text).utf8 }

  var isAtEnd: Bool { rest.isEmpty }

  /// Takes one of `characters`, if it comes next.
  mutating func take(_ characters: StaticString) -> Bool {
    guard let next = rest.first, characters.withUTF8Buffer({ $0.contains(next) }) else { return false }
    rest.removeFirst()
    return true
  }

  /// Takes a number of this many digits.
  mutating func number(_ digits: Int) -> Int? {
    var number = 0
    for _ in 0..<digits {
      guard let digit = digit() else { return nil }
      number = 10 * number + digit
    }
    return number
  }

  private mutating func digit() -> Int? {
    guard let next = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(next) else { return nil }
    rest.removeFirst()
    return Int(next - UInt8(ascii: "0"))
  }

  /// Takes the fraction of a second, if any: microseconds, and whether no digit beyond them counts.
  mutating func fraction() -> (microseconds: Int, isExact: Bool)? {
    guard take(".") else { return (0, true) }
    var (microseconds, unit, isExact, count) = (0, 100_000, true, 0)
    while let digit = digit() {
      microseconds += digit * unit
      if unit == 0, digit != 0 { isExact = false }
      unit /= 10
      count += 1
    }
    return count > 0 ? (microseconds, isExact) : nil
  }

  /// Takes the offset from UTC, in seconds.
  mutating func offset() -> Int? {
    if take("Zz") { return 0 }
    let isWest = rest.first == UInt8(ascii: "-")
    guard take("+-"), let hours = number(2), take(":"), let minutes = number(2), hours < 24, minutes < 60
    else { return nil }
    return (hours * 3_600 + minutes * 60) * (isWest ? -1 : 1)
  }
}

extension Date {
  /// Returns the text of the date, rounded to the nearest microsecond and then cut to `precision`.
  package func rfc3339(_ precision: RFC3339.Precision) -> String {
    RFC3339.text(
      microsecondsSinceEpoch: Int64((timeIntervalSince1970 * 1_000_000).rounded()), precision)
  }
}
