import ArgumentParser
import UserServiceApp

/// A duration on the command line: a number and a unit, such as `250ms`, `1.5s`, `2m` or `1h`.
struct DurationArgument: ExpressibleByArgument {
  let duration: Duration

  init(_ duration: Duration) {
    self.duration = duration
  }

  init?(argument: String) {
    guard let duration = Duration(text: argument) else { return nil }
    self.init(duration)
  }

  var defaultValueDescription: String { duration.text }
}
