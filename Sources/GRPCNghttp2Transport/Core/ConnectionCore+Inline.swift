import GRPCCore
import NIOCore

/// Calls answered by inline methods.
extension ConnectionCore {
  /// The parts of a call that an inline method receives. It is never copied, so that the core's buffers have one owner
  /// again when it is gone, and are reused.
  struct InlineRequest: ~Copyable {
    let inline: InlineMethod.Answer
    let fields: RequestFields
    /// The request's message; empty for a method that takes many messages.
    let message: ArraySlice<UInt8>
  }

  /// Returns the request of a call to answer inline. Nil if its message cannot be read, in which case the handler
  /// answers.
  ///
  /// - Parameter response: is set to the call's buffer for the response of a unary method, which goes back with
  ///   ``answered(_:_:)``, ``answersLater(_:_:)`` or ``declined(_:_:)``.
  mutating func inlineRequest(_ id: Int32, _ response: inout ByteQueue) -> InlineRequest? {
    guard let slot = streams.find(id), !streams.slots[slot].hasEnded,
      let inline = streams.slots[slot].method?.inline, let message = streams.slots[slot].inlineMessage(inline)
    else { return nil }
    if case .unary = inline { swap(&response, &streams.slots[slot].output) }
    return InlineRequest(inline: inline, fields: streams.slots[slot].head.fields, message: message)
  }

  /// Records the answer: the message in `response`, which includes its prefix, and status OK.
  mutating func answered(_ id: Int32, _ response: consuming ByteQueue) {
    guard let slot = streams.find(id), !streams.slots[slot].hasEnded else { return }
    memory.unsent += response.count
    streams.slots[slot].output = response
    streams.slots[slot].stage = .done
    returnWindow(slot, streams.slots[slot].account.heldWindow)
    settle(slot)
    streams.slots[slot].response.unary()
    submit(slot)
  }

  /// Records that the method answers later, from a task, and takes the buffer back.
  mutating func answersLater(_ id: Int32, _ response: consuming ByteQueue) {
    guard let slot = streams.find(id), !streams.slots[slot].hasEnded else { return }
    streams.slots[slot].output = response
    // The request is not read again, so its memory is released before the answer.
    streams.slots[slot].deframer.skip()
    returnWindow(slot, streams.slots[slot].account.heldWindow)
    startHandler(slot)
  }

  /// Records that the method answers a streaming call without a task; the request is discarded.
  mutating func streamTaken(_ id: Int32) {
    guard let slot = streams.find(id), !streams.slots[slot].hasEnded else { return }
    streams.slots[slot].deframer.removeAll()
    returnWindow(slot, streams.slots[slot].account.heldWindow)
    streams.slots[slot].dropHead()
    streams.slots[slot].stage = .stream
    settle(slot)
  }

  /// Records that the method declines the call, and takes the buffer back. The handler answers.
  mutating func declined(_ id: Int32, _ response: ByteQueue? = nil) -> ConnectionAction? {
    guard let slot = streams.find(id), !streams.slots[slot].hasEnded else { return nil }
    if let response { streams.slots[slot].output = response }
    return launchHandler(slot)
  }

  /// Ends the call that the method refuses.
  mutating func refused(_ id: Int32, _ error: RPCError) {
    guard let slot = streams.find(id) else { return }
    streams.slots[slot].stage = .done
    conclude(id, error)
  }

  /// Sends the method's late answer, unless the call has ended.
  mutating func respond(_ id: Int32, _ result: Result<[UInt8], RPCError>) {
    switch result {
    case .success(let message) where message.count > configuration.maxSendMessageSize:
      fail(id, .tooLarge(message.count, limit: configuration.maxSendMessageSize))
    case .success(let message):
      send(id, message)
      conclude(id, nil)
    case .failure(let error):
      conclude(id, error)
    }
  }
}
