/// The memory that a call counts in its connection's account, in bytes.
struct StreamAccount {
  /// The part of a message in hand that the cost of its task covers, and the largest buffer that a waiting call
  /// keeps.
  static let smallMessage = 1_024
  /// The cost of a handler's task, without its metadata.
  static let handler = 8 * 1_024
  /// The cost of a call whose messages an inline method takes: while it waits, and while a task processes a message.
  /// The latter is more than a task uses, so that calls wait for each other's tasks instead of all having one.
  static let waiting = 1_024
  static let taker = 20 * 1_024

  /// The bytes of the stream's window that have not been returned.
  var heldWindow = 0
  /// The bytes of the stream's window that are due to be returned.
  var windowToReturn = 0
  /// The inflated size of the message that the handler took last; zero once it asks for the next.
  var inHand = 0
  private var expected = 0
  private var incomplete = 0
  private var charged = 0

  /// The additional cost of the message in hand: the message, its decoded form, and the handler's data.
  var costInHand: Int { 3 * max(0, inHand - Self.smallMessage) }

  /// The estimated size of the answer to the message in hand, at most `largest`.
  func answer(largest: Int) -> Int {
    inHand > 0 ? min(max(2 * Self.smallMessage, 4 * inHand), largest) : 0
  }

  /// Reserves `count` bytes of `memory` for responses. Returns whether this has released the whole reservation.
  mutating func expect(_ count: Int, _ memory: inout ConnectionMemory) -> Bool {
    guard count != expected else { return false }
    memory.expect(count - expected)
    expected = count
    return count == 0
  }

  /// Updates `memory` with `incomplete` bytes of incomplete messages, and `others` that the call holds.
  mutating func settle(incomplete: Int, others: Int, _ memory: inout ConnectionMemory) {
    memory.incomplete += incomplete - self.incomplete
    self.incomplete = incomplete
    let holds = incomplete + others
    guard holds != charged else { return }
    memory.change(by: holds - charged)
    charged = holds
  }
}
