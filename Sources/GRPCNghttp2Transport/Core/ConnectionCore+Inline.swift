import GRPCCore
import NIOCore

/// Calls that an inline method is asked to answer.
extension ConnectionCore {
  /// What an inline method is given of a call.
  struct InlineRequest {
    let method: Method
    let fields: RequestFields
    /// The request's message; empty where there may be any number of them.
    let message: ByteBuffer
    /// The call's buffer for the response of a unary method, which goes back with ``ConnectionCore/answered(_:_:)``,
    /// ``ConnectionCore/answersLater(_:_:)`` or ``ConnectionCore/declined(_:_:)``.
    var response = ByteBuffer()
  }

  /// The request of a call to answer inline; nil for one whose message cannot be read, which is its handler's.
  mutating func inlineRequest(_ id: Int32) -> InlineRequest? {
    guard let slot = streams.find(id), !streams[slot].isOver, let method = streams[slot].method,
      let inline = method.inline, let message = inlineMessage(slot, inline)
    else { return nil }
    var request = InlineRequest(method: method, fields: streams[slot].head.fields, message: message)
    if case .unary = inline { swap(&request.response, &streams[slot].output) }
    return request
  }

  private func inlineMessage(_ slot: Int, _ method: InlineMethod.Answer) -> ByteBuffer? {
    if case .requests = method { return ByteBuffer() }
    if let message = streams[slot].deframer.plainMessage { return message }
    // A compressed one is at most as long as the method's limit. One that cannot be inflated is left to the handler, which
    // says so.
    guard let frame = streams[slot].deframer.peek(), let message = try? streams[slot].inflate(frame)
    else { return nil }
    return ByteBuffer(bytes: message.bytes)
  }

  /// The method has answered with the message in `response`, which has its prefix, and status OK.
  mutating func answered(_ id: Int32, _ response: ByteBuffer) {
    guard let slot = streams.find(id), !streams[slot].isOver else { return }
    streams[slot].output = response
    memory.unsent += response.readableBytes
    streams[slot].stage = .done
    returnWindow(slot, streams[slot].account.heldWindow)
    settle(slot)
    streams[slot].response.unary()
    submit(slot)
  }

  /// The method answers later, from a task; the call's buffer comes back.
  mutating func answersLater(_ id: Int32, _ response: ByteBuffer) {
    guard let slot = streams.find(id), !streams[slot].isOver else { return }
    streams[slot].output = response
    // The request is not read again, however long the answer takes.
    streams[slot].deframer.skip()
    returnWindow(slot, streams[slot].account.heldWindow)
    startHandler(slot)
  }

  /// The method answers its streaming call without a task; nothing of the request is kept.
  mutating func streamTaken(_ id: Int32) {
    guard let slot = streams.find(id), !streams[slot].isOver else { return }
    streams[slot].deframer.removeAll()
    returnWindow(slot, streams[slot].account.heldWindow)
    streams[slot].dropHead()
    streams[slot].stage = .stream
    settle(slot)
  }

  /// The method does not take the call, whose buffer comes back: it is its handler's.
  mutating func declined(_ id: Int32, _ response: ByteBuffer? = nil) -> ConnectionAction? {
    guard let slot = streams.find(id), !streams[slot].isOver else { return nil }
    if let response { streams[slot].output = response }
    return launchHandler(slot)
  }

  /// The method refuses the call.
  mutating func refused(_ id: Int32, _ error: RPCError) {
    guard let slot = streams.find(id) else { return }
    streams[slot].stage = .done
    conclude(id, error)
  }

  /// Responds with what a method has made of the call later, unless it is over.
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
