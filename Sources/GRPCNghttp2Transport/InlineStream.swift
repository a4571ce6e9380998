public import GRPCCore

/// A call of a streaming ``InlineMethod``, while the method accepts it and no longer.
public struct InlineStream: ~Copyable {
  private let stream: ServerStream
  /// The request's message; empty where there may be any number of them.
  public let message: UnsafeRawBufferPointer

  init(_ stream: ServerStream, message: UnsafeRawBufferPointer) {
    self.stream = stream
    self.message = message
  }

  /// The request's metadata.
  public var metadata: Metadata { stream.head.metadata }

  /// The client's end of the connection, as in `ServerContext`.
  public var remotePeer: String { stream.connection.peer.remote }

  /// The call's deadline, and its client's certificate.
  public var context: Nghttp2ServerTransport.Context { stream.context }

  /// What keeps the call, without its request.
  public var responses: Responses { Responses(stream: stream) }

  /// Has `body` called on the connection's event loop, once, if the call ends before ``Responses/end(_:)``: when its
  /// client has gone, or its deadline has passed.
  public func whenCancelled(_ body: @escaping @Sendable () -> Void) { stream.whenCancelled = body }

  /// The response's side of a call: a handle that can be kept, and used on any thread.
  ///
  /// What it is given takes effect in the order of its calls. They only note what is to be done, and may be made under
  /// a lock.
  public struct Responses: Sendable {
    fileprivate let stream: ServerStream

    /// Sends a message, unless the call has ended. There is no back-pressure: callers send little, and not often.
    public func send(_ message: [UInt8]) {
      stream.later { $0.sendInline(message) }
    }

    /// Ends the call with the status and the metadata of `error`, behind what was sent; nothing if it has ended.
    public func end(_ error: RPCError) {
      stream.later { $0.endInline(error) }
    }
  }
}
