import GRPCCore
import NIOCore

/// What the call counts in its connection's memory.
extension ServerStream {
  /// Bytes that a handler's task counts for, with the first ``smallMessage`` bytes of the message in its hand.
  private static let handler = 8 * 1_024
  private static let smallMessage = 1_024
  /// Bytes that a call counts for whose messages an inline method takes: while it waits for the next, and while a task
  /// works on one. That is more than a task takes, so that calls rather wait for each other's tasks than all have one.
  static let waiting = 1_024
  private static let task = 20 * 1_024

  /// What a call fails with for which there is no memory.
  static let noRoom = CallFault(
    .overloaded, .resourceExhausted, "the calls of the connection hold all the memory that they may")

  /// Header fields that are beyond the limit are counted, and not kept.
  private var headerBytes: Int { keepsHead ? min(head.listSize, configuration.maxHeaderListSize) : 0 }

  /// Bytes that the task of the call's handler would add, with the metadata, or the task of an inline method.
  var costOfTask: Int { takesRequests ? Self.task : Self.handler + headerBytes }

  /// Bytes that the message in the handler's hand adds: the message, what it is decoded into, and what the handler makes
  /// of that.
  var costInHand: Int { 3 * max(0, inHand - Self.smallMessage) }

  /// Has the connection's memory count what the call holds now, but for what the connection's window covers and what
  /// waits to be sent, which are counted on their own.
  func settle() {
    let incomplete = isClosed ? 0 : max(0, deframer.bufferedBytes - heldWindow)
    connection.memory.incomplete += incomplete - self.incomplete
    self.incomplete = incomplete
    var holds = incomplete
    if !isClosed { holds += headerBytes }
    if hasTask { holds += costOfTask + costInHand } else if requests != nil { holds += Self.waiting }
    guard holds != charged else { return }
    connection.memory.change(by: holds - charged)
    charged = holds
  }

  /// Has the connection's memory leave room for the answer to the message in hand, if there is one: the answers to
  /// messages that are handed over in one turn come when it is over.
  func expectAnswer() {
    let largest = configuration.writeBufferSize
    expect(inHand > 0 ? min(max(2 * Self.smallMessage, 4 * inHand), largest) : 0)
  }

  /// Has the connection's memory leave room for `count` bytes of responses.
  func expect(_ count: Int) {
    guard count != expected else { return }
    connection.memory.expect(count - expected)
    expected = count
    if count == 0, !connection.waiting.isEmpty { connection.onWork() }
  }

  /// A call that waits keeps no buffers of what it had to do before.
  func giveBackMemory() {
    deframer.giveBackMemory(beyond: Self.smallMessage)
    if output.readableBytes == 0, output.capacity > Self.smallMessage { output = ByteBuffer() }
  }

  /// Gives back the window of what has come of a message that is awaited, so that the rest can come. What is kept of
  /// it counts in the connection's memory from now on, and fails the request if there is no room.
  func awaitRequest() {
    returnWindow(heldWindow)
    settle()
    if deframer.bufferedBytes > 0, !connection.memory.hasRoomToWait { failRequest(rpcError(Self.noRoom)) }
  }

  /// Whether the client has taken next to nothing of a response since `time`.
  func isStalled(since time: NIODeadline) -> Bool {
    output.readableBytes > Connection.smallResponse && sendBy != .distantFuture
      && sendBy - TimeAmount(configuration.sendTimeout) <= time
  }
}
