/// The time since a moment early in the process. Setting the wall clock does not change it, and it advances while the
/// machine sleeps.
enum Uptime {
  private static let start = ContinuousClock.now

  static var now: Duration { ContinuousClock.now - start }
}
