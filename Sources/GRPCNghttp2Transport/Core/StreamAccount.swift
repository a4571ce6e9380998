/// What a call counts in its connection's memory, in bytes.
struct StreamAccount {
  /// The part of a message in a handler's hand that its task's cost covers, and the largest buffer that a call keeps
  /// while it waits.
  static let smallMessage = 1_024
  /// The task of a handler, without its metadata.
  static let handler = 8 * 1_024
  /// A call whose messages an inline method takes: while it waits for the next, and while a task works on one. The latter
  /// is more than a task takes, so that calls rather wait for each other's tasks than all have one.
  static let waiting = 1_024
  static let taker = 20 * 1_024

  /// Bytes of the stream's window that have not been returned.
  var heldWindow = 0
  /// Bytes of the stream's window that are to be returned.
  var windowToReturn = 0
  /// Bytes of the message that the handler has taken last, inflated, until it asks for the next.
  var inHand = 0
  private var expected = 0
  private var incomplete = 0
  private var charged = 0

  /// What the message in hand adds: the message, what it is decoded into, and what the handler makes of that.
  var costInHand: Int { 3 * max(0, inHand - Self.smallMessage) }

  /// What the message in hand is going to be answered with, as far as that can be known: at most `largest`.
  func answer(largest: Int) -> Int {
    inHand > 0 ? min(max(2 * Self.smallMessage, 4 * inHand), largest) : 0
  }

  /// Has `memory` leave room for `count` bytes of responses. Returns whether all of it has become free.
  mutating func expect(_ count: Int, _ memory: inout ConnectionMemory) -> Bool {
    guard count != expected else { return false }
    memory.expect(count - expected)
    expected = count
    return count == 0
  }

  /// Has `memory` count `incomplete` bytes of messages that are not complete, and `others` that the call holds.
  mutating func settle(incomplete: Int, others: Int, _ memory: inout ConnectionMemory) {
    memory.incomplete += incomplete - self.incomplete
    self.incomplete = incomplete
    let holds = incomplete + others
    guard holds != charged else { return }
    memory.change(by: holds - charged)
    charged = holds
  }
}
