import Foundation

/// Times of RFC 3339 in a file of users, to the microsecond.
///
/// Foundation's formatters cost several microseconds a time, and cut off microseconds.
enum RFC3339Time {
  /// Returns the date of a time of the years 1 to 9999 in any zone; nil for any other text. Digits after the sixth of a
  /// second are cut off, and a leap second becomes the next second.
  static func date(_ text: String) -> Date? {
    var text = text
    return text.withUTF8(microseconds(of:)).map { Date(timeIntervalSince1970: Double($0) / 1_000_000) }
  }

  /// Returns the text of a date in UTC, rounded to the microsecond: `2026-11-23T02:36:03.000000Z`.
  static func text(_ date: Date) -> String {
    let exact = (date.timeIntervalSince1970 * 1_000_000).rounded()
    // The years 1 to 9999, which are those of the service.
    let microseconds = exact.isNaN ? 0 : Int64(min(max(exact, -62_135_596_800e6), 253_402_300_799e6))
    let seconds = microseconds.flooredQuotient(by: 1_000_000)
    let day = seconds.flooredQuotient(by: 86_400)
    let (year, month, dayOfMonth) = civil(fromDay: day)
    let time = seconds - day * 86_400
    return String(unsafeUninitializedCapacity: 27) { bytes in
      func put(_ number: Int64, _ range: Range<Int>) {
        var number = number
        for index in range.reversed() {
          bytes[index] = 0x30 + UInt8(truncatingIfNeeded: number % 10)
          number /= 10
        }
      }
      _ = bytes.initialize(from: "0000-00-00T00:00:00.000000Z".utf8)
      put(year, 0..<4)
      put(month, 5..<7)
      put(dayOfMonth, 8..<10)
      put(time / 3_600, 11..<13)
      put(time / 60 % 60, 14..<16)
      put(time % 60, 17..<19)
      put(microseconds - seconds * 1_000_000, 20..<26)
      return 27
    }
  }

  private static func microseconds(of text: UnsafeBufferPointer<UInt8>) -> Int64? {
    guard text.count >= 20, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
      [0x54, 0x74, 0x20].contains(text[10]), text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
      let year = number(text[0..<4]), let month = number(text[5..<7]), let day = number(text[8..<10]),
      let hour = number(text[11..<13]), let minute = number(text[14..<16]),
      let second = number(text[17..<19]),
      year >= 1, (1...12).contains(month), (1...days(of: month, in: year)).contains(day), hour < 24,
      minute < 60,
      second <= 60
    else { return nil }
    var end = 19
    var fraction: Int64 = 0
    if text[end] == UInt8(ascii: ".") {
      let digits = text[20...].prefix { (0x30...0x39).contains($0) }
      guard !digits.isEmpty else { return nil }
      end = digits.endIndex
      for place in 0..<6 {
        fraction = fraction * 10 + (place < digits.count ? Int64(digits[20 + place] - 0x30) : 0)
      }
    }
    guard let offset = offset(text[end...]) else { return nil }
    let seconds = dayNumber(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset
    return seconds * 1_000_000 + fraction
  }

  /// Returns the seconds by which a zone, `Z` or `+01:00`, is ahead of UTC.
  private static func offset(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> Int64? {
    let start = text.startIndex
    if text.count == 1, text[start] | 0x20 == UInt8(ascii: "z") { return 0 }
    guard text.count == 6, text[start] == UInt8(ascii: "+") || text[start] == UInt8(ascii: "-"),
      text[start + 3] == UInt8(ascii: ":"), let hours = number(text[start + 1..<start + 3]),
      let minutes = number(text[start + 4..<start + 6]), hours < 24, minutes < 60
    else { return nil }
    let seconds = hours * 3_600 + minutes * 60
    return text[start] == UInt8(ascii: "-") ? -seconds : seconds
  }

  private static func number(_ digits: Slice<UnsafeBufferPointer<UInt8>>) -> Int64? {
    var number: Int64 = 0
    for digit in digits {
      guard (0x30...0x39).contains(digit) else { return nil }
      number = number * 10 + Int64(digit - 0x30)
    }
    return number
  }

  private static func days(of month: Int64, in year: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  // The Gregorian calendar by years that begin in March, so that a leap day is the last of its year: Howard Hinnant,
  // "chrono-Compatible Low-Level Date Algorithms", days_from_civil and civil_from_days. An era has 400 years.

  /// Returns the number of days from 1970-01-01.
  private static func dayNumber(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let year = month <= 2 ? year - 1 : year
    let era = year.flooredQuotient(by: 400)
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func civil(fromDay number: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let number = number + 719_468
    let era = number.flooredQuotient(by: 146_097)
    let day = number - era * 146_097
    let yearOfEra = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365
    let dayOfYear = day - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
  }
}

extension Int64 {
  /// The quotient rounded down, for a positive divisor.
  fileprivate func flooredQuotient(by divisor: Int64) -> Int64 {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
  }
}
