import GRPCCore
import NIOCore

/// A call of an ``InlineStream``.
extension ServerStream {
  /// Lets `method` accept the call, which then keeps nothing of its request. Returns whether it does.
  func acceptStream(by method: (borrowing InlineStream) -> Bool) -> Bool {
    let isAccepted = deframer.withNextMessage { method(InlineStream(self, message: $0)) }
    guard isAccepted ?? false else {
      whenCancelled = nil
      return false
    }
    dropRequest()
    returnWindow(heldWindow)
    _ = head.takeFields()
    keepsHead = false
    settle()
    return true
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
    setStatus(Status(code: Status.Code(error.code), message: error.message), error.metadata)
    connection.submitLater(self)
  }
}
