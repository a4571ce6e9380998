public import GRPCCore

/// A call of a streaming ``InlineMethod``, valid only while the method accepts it.
public struct InlineStream: ~Copyable {
  private let fields: RequestFields
  /// The request's message; empty for a method that takes many messages.
  public let message: UnsafeRawBufferPointer
  /// The call's deadline and its client's certificate.
  public let context: CallContext
  /// The handle of the call, which outlives its request.
  public let responses: Responses
  private let setWhenCancelled: (@escaping @Sendable () -> Void) -> Void

  init(
    fields: RequestFields, message: UnsafeRawBufferPointer, context: CallContext, responses: Responses,
    setWhenCancelled: @escaping (@escaping @Sendable () -> Void) -> Void
  ) {
    self.fields = fields
    self.message = message
    self.context = context
    self.responses = responses
    self.setWhenCancelled = setWhenCancelled
  }

  /// The request's metadata.
  public var metadata: Metadata { fields.metadata }

  /// The client's end of the connection, as in `ServerContext`.
  public var remotePeer: String { context.peer.remote }

  /// Registers `body` to be called once, on the connection's event loop, if the call ends before
  /// ``Responses/end(_:)``: the client has disconnected, or the deadline has passed.
  public func whenCancelled(_ body: @escaping @Sendable () -> Void) { setWhenCancelled(body) }

  /// The response side of a call: a handle that can be stored, and used on any thread.
  ///
  /// Its operations take effect in the order of their calls. They only schedule work, and may be called while a lock
  /// is held.
  public struct Responses: Sendable {
    /// A scheduled operation.
    enum Step: Sendable {
      case send([UInt8])
      case end(RPCError)
      case wake
    }

    private let perform: @Sendable (Step) -> Void

    init(perform: @escaping @Sendable (Step) -> Void) {
      self.perform = perform
    }

    /// Sends a message, unless the call has ended. Has no back-pressure, so callers must send small messages at long
    /// intervals.
    public func send(_ message: [UInt8]) { perform(.send(message)) }

    /// Ends the call with the status and metadata of `error`, after the messages sent before. Does nothing if the
    /// call has ended.
    public func end(_ error: RPCError) { perform(.end(error)) }

    /// Tells a call of ``InlineMethod/init(requests:accept:)`` to look at ``InlineRequests/hasWaitingWork`` again, because
    /// something has happened elsewhere. Does nothing if the call has ended.
    public func wake() { perform(.wake) }
  }
}
