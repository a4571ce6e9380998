/// The cost of a function that hashes the whole phrase in each of its rounds.
struct RoundCost {
  let rounds: Int
  /// The time of a round for an empty phrase, and again for each 64 bytes, in nanoseconds of one core.
  let nanoseconds: Int

  func time(forLength length: Int) -> Duration { .nanoseconds(rounds * nanoseconds * (64 + length) / 64) }

  /// The length in bytes of the longest phrase within ``StoredHashCheck/timeLimit``.
  var maximumPhraseLength: Int {
    let limit = Int(StoredHashCheck.timeLimit / .nanoseconds(1))
    return 64 * limit / (rounds * nanoseconds) - 64
  }
}
