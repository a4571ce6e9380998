import Synchronization
package import UserDomain

/// The source of new users' times and ids.
package struct WriteSettings: Sendable {
  package var clock: @Sendable () -> Timestamp
  package var ids: UserIDGenerator
  /// The greatest time in ids that were assigned.
  package let latest = LatestTime()

  /// Creates settings; by default, of the system's clock.
  package init(
    clock: @escaping @Sendable () -> Timestamp = { .now }, ids: UserIDGenerator = UserIDGenerator()
  ) {
    self.clock = clock
    self.ids = ids
  }
}

/// A time that only grows, for threads other than the writer's.
package final class LatestTime: Sendable {
  private let microseconds = Atomic(Int64.min)

  package var value: Timestamp { Timestamp(microsecondsSinceEpoch: microseconds.load(ordering: .acquiring)) }

  package func raise(to time: Timestamp) {
    microseconds.max(time.microsecondsSinceEpoch, ordering: .releasing)
  }
}
