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
}
