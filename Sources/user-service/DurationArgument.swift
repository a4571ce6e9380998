import ArgumentParser

/// A length of time on the command line: a number and a unit, as `250ms`, `1.5s`, `2m` or `1h`.
struct DurationArgument: ExpressibleByArgument {
  let duration: Duration

  init(_ duration: Duration) {
    self.duration = duration
  }

  init?(argument: String) {
    let units: [(suffix: String, seconds: Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3_600)]
    guard let unit = units.first(where: { argument.hasSuffix($0.suffix) }),
      let number = Double(argument.dropLast(unit.suffix.count)), number >= 0, number.isFinite
    else { return nil }
    let seconds = number * unit.seconds
    // A day is beyond every use; a larger number would not fit a Duration.
    guard seconds <= 86_400 else { return nil }
    self.init(.seconds(seconds))
  }

  var defaultValueDescription: String {
    let milliseconds = Int(duration / .milliseconds(1))
    return milliseconds % 1_000 == 0 ? "\(milliseconds / 1_000)s" : "\(milliseconds)ms"
  }
}
