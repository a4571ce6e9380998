import DequeModule
import NIOCore

/// The streams of a connection that wait until more has been sent, in the order in which they go on.
struct RoomQueue {
  /// How long a client may take nothing of a response while other calls of its connection wait for the room.
  static let patience = TimeAmount.seconds(10)

  private var ids: Deque<Int32> = []
  /// Since when the first has waited, or others were last looked at for its sake.
  private var since = NIODeadline.distantFuture

  var isEmpty: Bool { ids.isEmpty }

  /// When responses that the client does not read are to be ended for the sake of those that wait.
  var wakeup: NIODeadline { ids.isEmpty ? .distantFuture : since + Self.patience }

  /// A stream waits. Returns whether it is the first.
  mutating func append(_ id: Int32, now: NIODeadline) -> Bool {
    ids.append(id)
    if ids.count == 1 { since = now }
    return ids.count == 1
  }

  mutating func remove(_ id: Int32) { ids.removeAll { $0 == id } }

  /// The first stream goes on.
  mutating func popFirst() -> Int32? { ids.popFirst() }

  /// Those that wait have been looked after.
  mutating func renew(now: NIODeadline) { since = ids.isEmpty ? .distantFuture : now }
}
