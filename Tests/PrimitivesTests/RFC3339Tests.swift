import Foundation
import Primitives
import Testing

@Suite struct RFC3339Tests {
  @Test(
    "a time is cut to its precision, toward the past on both sides of 1970",
    arguments: [
      (0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000000Z"),
      (
        1_764_000_000_123_999, "2025-11-24T16:00:00Z", "2025-11-24T16:00:00.123Z",
        "2025-11-24T16:00:00.123999Z"
      ),
      (-1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999999Z"),
      (
        253_402_300_799_999_999, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z",
        "9999-12-31T23:59:59.999999Z"
      ),
    ] as [(Int64, String, String, String)])
  func text(time: Int64, seconds: String, milliseconds: String, microseconds: String) {
    #expect(RFC3339.text(microsecondsSinceEpoch: time, .seconds) == seconds)
    #expect(RFC3339.text(microsecondsSinceEpoch: time, .milliseconds) == milliseconds)
    #expect(RFC3339.text(microsecondsSinceEpoch: time, .microseconds) == microseconds)
  }

  @Test("a date, whose seconds are binary fractions, is rounded to the nearest microsecond")
  func date() {
    // Stored as 100.00000095 seconds: a date counts from 2001.
    let date = Date(timeIntervalSince1970: 100.000_001)
    #expect(date.rfc3339(.microseconds) == "1970-01-01T00:01:40.000001Z")
  }

  @Test(
    "texts of RFC 3339 are read",
    arguments: [
      ("1970-01-01T00:00:00Z", 0, true), ("1970-01-01t00:00:00.5z", 500_000, true),
      ("1969-12-31T23:59:59.999999Z", -1, true), ("1970-01-01T00:00:00.0000001Z", 0, false),
      ("1970-01-01T00:00:00.1234560000Z", 123_456, true), ("1970-01-01T01:30:00+01:30", 0, true),
      ("1969-12-31T23:00:00-01:00", 0, true), ("2000-02-29T00:00:00Z", 951_782_400_000_000, true),
      ("2026-11-30T12:34:56Z", 1_796_042_096_000_000, true),
      ("0001-01-01T00:00:00Z", -62_135_596_800_000_000, true),
      ("9999-12-31T23:59:59Z", 253_402_300_799_000_000, true),
    ])
  func read(text: String, microseconds: Int64, isExact: Bool) throws {
    let time = try #require(RFC3339.microseconds(of: text))
    #expect(time.microseconds == microseconds)
    #expect(time.isExact == isExact)
  }

  @Test(
    "other texts are refused",
    arguments: [
      "", "1970", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01 00:00:00Z", "1970-13-01T00:00:00Z",
      "1970-00-01T00:00:00Z", "1970-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "1970-01-32T00:00:00Z",
      "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z", "1970-01-01T00:00:60Z", "1970-01-01T00:00:00.Z",
      "1970-01-01T00:00:00+1:00", "1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00ZZ",
      "+1970-01-01T00:00:00Z",
      "١٩٧٠-01-01T00:00:00Z",
    ])
  func refused(text: String) {
    #expect(RFC3339.microseconds(of: text) == nil)
  }
}
