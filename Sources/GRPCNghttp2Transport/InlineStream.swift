public import GRPCCore

/// A call of a streaming ``InlineMethod``, while the method accepts it and no longer.
public struct InlineStream: ~Copyable {
  private let fields: RequestFields
  /// The request's message; empty where there may be any number of them.
  public let message: UnsafeRawBufferPointer
  /// The call's deadline, and its client's certificate.
  public let context: CallContext
  /// What keeps the call, without its request.
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

  /// Has `body` called on the connection's event loop, once, if the call ends before ``Responses/end(_:)``: when its
  /// client has gone, or its deadline has passed.
  public func whenCancelled(_ body: @escaping @Sendable () -> Void) { setWhenCancelled(body) }

  /// The response's side of a call: a handle that can be kept, and used on any thread.
  ///
  /// What it is given takes effect in the order of its calls. They only note what is to be done, and may be made under
  /// a lock.
  public struct Responses: Sendable {
    /// What is to be done.
    enum Step: Sendable {
      case send([UInt8])
      case end(RPCError)
    }

    private let perform: @Sendable (Step) -> Void

    init(perform: @escaping @Sendable (Step) -> Void) {
      self.perform = perform
    }

    /// Sends a message, unless the call has ended. There is no back-pressure: callers send little, and not often.
    public func send(_ message: [UInt8]) { perform(.send(message)) }

    /// Ends the call with the status and the metadata of `error`, behind what was sent; nothing if it has ended.
    public func end(_ error: RPCError) { perform(.end(error)) }
  }
}
