/// Time that no setting of the wall clock changes, since a moment early in the process. It counts on while the machine
/// sleeps.
enum Uptime {
  private static let start = ContinuousClock.now

  static var now: Duration { ContinuousClock.now - start }
}
