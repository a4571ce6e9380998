import Testing

@testable import UserServiceApp

@Suite struct DurationTextTests {
  @Test(
    "a duration is a number and a unit",
    arguments: [
      ("250ms", .milliseconds(250)), ("1.5s", .milliseconds(1_500)), ("2m", .seconds(120)),
      ("1h", .seconds(3_600)), ("30d", .seconds(30 * 86_400)), ("0s", .zero), ("0d", .zero),
      ("400d", .seconds(400 * 86_400)), ("0.5d", .seconds(43_200)),
    ] as [(String, Duration)])
  func read(text: String, duration: Duration) {
    #expect(Duration(text: text) == duration)
  }

  @Test(
    "a text without a number, without a unit, below zero or above 400 days is not a duration",
    arguments: [
      "", "s", "ms", "30", "-1s", "1 s", "1w", "1S", "1m30s", "401d", "400.1d", "1e99s", "infs", "nans",
      "soon",
    ])
  func refused(text: String) {
    #expect(Duration(text: text) == nil)
  }

  @Test(
    "a duration is written in the largest unit of which it is a whole number",
    arguments: [
      (.zero, "0s"), (.milliseconds(1), "1ms"), (.milliseconds(1_500), "1500ms"), (.seconds(1), "1s"),
      (.seconds(90), "90s"), (.seconds(120), "2m"), (.seconds(5_400), "90m"), (.seconds(7_200), "2h"),
      (.seconds(86_400), "1d"), (.seconds(400 * 86_400), "400d"), (.microseconds(1_500), "1.5ms"),
    ] as [(Duration, String)])
  func written(duration: Duration, text: String) {
    #expect(duration.text == text)
    #expect(Duration(text: text) == duration)
  }
}
