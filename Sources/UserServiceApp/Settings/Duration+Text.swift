extension Duration {
  /// The longest duration of a setting: 400 days.
  static let longest: Duration = .seconds(400 * 86_400)

  /// The units of a duration, in seconds, the smallest first. `ms` precedes `s`, because the first matching suffix is
  /// taken.
  private static let units: [(suffix: String, seconds: Double)] = [
    ("ms", 0.001), ("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400),
  ]

  /// Parses a number and a unit: `250ms`, `1.5s`, `2m`, `1h`, `30d`; at most 400 days.
  public init?(text: String) {
    guard let unit = Self.units.first(where: { text.hasSuffix($0.suffix) }),
      let number = Double(text.dropLast(unit.suffix.count)), number >= 0,
      number * unit.seconds <= Self.longest / .seconds(1)
    else { return nil }
    self = .seconds(number * unit.seconds)
  }

  /// The duration in the form that ``init(text:)`` reads: in the largest unit of which it is a whole number, or else
  /// in milliseconds.
  public var text: String {
    for unit in Self.units.reversed() {
      let number = self / .seconds(1) / unit.seconds
      if let whole = Int(exactly: number), whole > 0 { return "\(whole)\(unit.suffix)" }
    }
    return self == .zero ? "0s" : "\(self / .milliseconds(1))ms"
  }
}
