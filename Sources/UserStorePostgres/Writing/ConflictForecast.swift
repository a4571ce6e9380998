/// Whether the addresses of many new users are expected to be free, as the last transactions have shown.
struct ConflictForecast {
  /// Up to so many rows, it does not matter what they cost.
  private static let fewRows = 64
  /// After a conflict, so many transactions are expected to have another.
  private static let memory = 64

  private var remaining = 0

  /// Returns whether one of `rows` new users may have an address that is taken.
  func expectsConflict(among rows: Int) -> Bool { rows <= Self.fewRows || remaining > 0 }

  /// Records a transaction that has failed because an address was taken.
  mutating func metConflict() { remaining = Self.memory }

  /// Records a transaction that was committed.
  mutating func committed() { remaining = max(remaining - 1, 0) }
}
