import Foundation
import Testing

@testable import UserFiles

@Suite struct RFC3339TimeTests {
  @Test(
    "times are read in any zone",
    arguments: [
      ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00.5Z", 0.5), ("1970-01-01t00:00:01z", 1),
      ("1970-01-01 00:00:01Z", 1), ("1970-01-01T01:00:00+01:00", 0), ("1969-12-31T23:30:00-00:30", 0),
      ("2000-02-29T12:34:56.123456789Z", 951_827_696.123_456), ("2016-12-31T23:59:60Z", 1_483_228_800),
      ("0001-01-01T00:00:00Z", -62_135_596_800), ("9999-12-31T23:59:59Z", 253_402_300_799),
      ("1900-03-01T00:00:00Z", -2_203_891_200), ("2100-02-28T23:59:59Z", 4_107_542_399),
    ])
  func dates(text: String, seconds: Double) {
    #expect(RFC3339Time.date(text) == Date(timeIntervalSince1970: seconds))
  }

  @Test(
    "other texts are not times",
    arguments: [
      "", "2000-01-01", "2000-01-01T00:00:00", "2000-01-01T00:00Z", "2000-13-01T00:00:00Z",
      "2000-00-01T00:00:00Z",
      "2001-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2000-04-31T00:00:00Z", "2000-01-00T00:00:00Z",
      "2000-01-01T24:00:00Z", "2000-01-01T00:60:00Z", "2000-01-01T00:00:61Z", "2000-01-01T00:00:00.Z",
      "2000-01-01T00:00:00+0100", "2000-01-01T00:00:00+24:00", "2000-01-01T00:00:00+01:60",
      "2000-01-01T00:00:00 Z",
      "2000-01-01T00:00:00ZZ", "0000-01-01T00:00:00Z", "-001-01-01T00:00:00Z", "２000-01-01T00:00:00Z",
      "2000/01/01T00:00:00Z", "20000-01-01T00:00:00Z", "1764000000", "2000-01-01T00:00:00.123456",
    ])
  func invalid(text: String) {
    #expect(RFC3339Time.date(text) == nil)
  }

  @Test("a text is that of Foundation, and is read back to the microsecond")
  func roundTrip() {
    var seconds = -5_000_000_000.0
    while seconds < 10_000_000_000 {
      let date = Date(timeIntervalSince1970: seconds)
      let text = RFC3339Time.text(date)
      #expect(text.dropLast(8) == date.formatted(.iso8601).dropLast())
      #expect(RFC3339Time.date(text) == date)
      seconds += 7_654_321
    }
    let date = Date(timeIntervalSince1970: 1_764_000_000.999_999)
    #expect(RFC3339Time.text(date) == "2025-11-24T16:00:00.999999Z")
    #expect(RFC3339Time.date(RFC3339Time.text(date)) == date)
    for extreme in [Double.nan, .infinity, -.infinity, 1e300] {
      #expect(RFC3339Time.date(RFC3339Time.text(Date(timeIntervalSince1970: extreme))) != nil)
    }
  }
}
