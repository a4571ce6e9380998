import DequeModule
import NIOCore

/// The streams of a connection that wait for room in the output, in the order in which they resume.
struct RoomQueue {
  /// How long a client may read nothing of a response while other calls of its connection wait for room.
  static let patience = TimeAmount.seconds(10)

  private var ids: Deque<Int32> = []
  /// The time since which the first stream waits, or of the last ``renew(now:)``.
  private var since = NIODeadline.distantFuture

  var isEmpty: Bool { ids.isEmpty }

  /// When unread responses are ended in favour of the waiting streams.
  var wakeup: NIODeadline { ids.isEmpty ? .distantFuture : since + Self.patience }

  /// Adds a stream. Returns whether it is the first.
  mutating func append(_ id: Int32, now: NIODeadline) -> Bool {
    ids.append(id)
    if ids.count == 1 { since = now }
    return ids.count == 1
  }

  mutating func remove(_ id: Int32) { ids.removeAll { $0 == id } }

  /// Removes the first stream, which resumes.
  mutating func popFirst() -> Int32? { ids.popFirst() }

  /// Restarts the time of the waiting streams.
  mutating func renew(now: NIODeadline) { since = ids.isEmpty ? .distantFuture : now }
}
