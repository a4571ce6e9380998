import GRPCCore
import NIOCore

/// Calls of an ``InlineMethod``.
extension ServerStream {
  /// Lets an inline method answer a request that is complete and plain, or take the messages of one that may have many.
  /// Returns whether it does, now or later.
  func respond(by method: InlineMethod.Answer, now: NIODeadline) -> Bool {
    let isComplete = requestHasEnded && requestFailure == nil && !takesManyMessages
    switch method {
    case .unary(let method):
      return isComplete && encoding == .identity && respond(by: method, now: now)
    case .stream(let method):
      guard isComplete else { return false }
      noteDeadline(now: now)
      guard acceptStream(by: method) else { return false }
      isPending = false
      return true
    case .requests(let method):
      // Without room the call is the handler's, for which there is none either.
      guard takesManyMessages, connection.memory.hasRoom(for: Self.waiting) else { return false }
      noteDeadline(now: now)
      guard acceptRequests(by: method) else { return false }
      isPending = false
      takeRequests(now: now)
      return true
    }
  }

  private func respond(by method: (inout InlineCall) -> Void, now: NIODeadline) -> Bool {
    let answer = deframer.withNextMessage { message in
      var call = InlineCall(self, message: message)
      method(&call)
      return call.answer
    }
    switch answer {
    case nil, .some(nil):
      return false
    case .given:
      isPending = false
      returnWindow(heldWindow)
      settle()
      response.unary()
      connection.submitLater(self)
    case .later(let response):
      isPending = false
      // The request is not read again, however long the answer takes.
      deframer.skip()
      returnWindow(heldWindow)
      start(now: now) { stream in
        let result = await response(stream.context)
        stream.connection.executor.run { stream.respond(with: result) }
      }
    }
    return true
  }

  /// Responds with what an inline method has made of the call, unless it is over.
  private func respond(with result: Result<[UInt8], RPCError>) {
    guard !isClosed, !response.hasStatus else { return }
    switch result {
    case .success(let message):
      if respond(count: message.count, { $0.copyBytes(from: message) }) {
        response.unary()
      } else {
        end(Self.tooLarge(message.count, configuration))
      }
    case .failure(let error):
      setStatus(Status(error), error.metadata)
    }
    connection.submitLater(self)
  }

  /// Takes the message of the response that an inline method gives. Returns false if it is too large.
  func respond(count: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) -> Bool {
    guard count <= configuration.maxSendMessageSize else { return false }
    let end = MessageDeframer.prefixLength + count
    output.writeWithUnsafeMutableBytes(minimumWritableBytes: end) { buffer in
      // The memory may be another call's.
      let buffer = UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(end))
      buffer.initializeMemory(as: UInt8.self, repeating: 0)
      buffer.storeBytes(of: UInt32(count).bigEndian, toByteOffset: 1, as: UInt32.self)
      write(UnsafeMutableRawBufferPointer(rebasing: buffer.dropFirst(MessageDeframer.prefixLength)))
      return end
    }
    connection.memory.unsent += end
    return true
  }

  /// Lets `method` accept the call, which then keeps nothing of its request. Returns whether it does.
  func acceptStream(by method: (borrowing InlineStream) -> Bool) -> Bool {
    var isAccepted = deframer.withNextMessage { method(InlineStream(self, message: $0)) }
    // A compressed one is at most as long as the method's limit. One that cannot be inflated is left to the handler, which
    // says so.
    if isAccepted == nil, let frame = deframer.peek(), let message = try? inflate(frame) {
      isAccepted = message.bytes.withUnsafeBytes { method(InlineStream(self, message: $0)) }
    }
    guard isAccepted ?? false else {
      whenCancelled = nil
      return false
    }
    dropRequest()
    returnWindow(heldWindow)
    dropHead()
    return true
  }

  /// Keeps nothing more of the header fields.
  func dropHead() {
    _ = head.takeFields()
    keepsHead = false
    settle()
  }

  /// Calls `body` on the connection's event loop, behind what was to be called there before.
  func later(_ body: @escaping @Sendable (ServerStream) -> Void) {
    connection.executor.loop.execute { body(self) }
  }

  func sendInline(_ message: [UInt8]) {
    guard !isClosed, !response.hasStatus, respond(count: message.count, { $0.copyBytes(from: message) })
    else { return }
    response.message()
    connection.submitLater(self)
  }

  func endInline(_ error: RPCError) {
    guard !isClosed, !response.hasStatus else { return }
    whenCancelled = nil
    setStatus(Status(error), error.metadata)
    connection.submitLater(self)
  }
}
