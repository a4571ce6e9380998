public import GRPCCore

/// A unary method that can be answered where its calls arrive: on the connection's event loop and without a
/// task, which costs a fraction of a handler's call.
///
/// For answers that wait for nothing and take microseconds: meanwhile the loop serves nobody else.
public struct InlineMethod: Sendable {
  typealias Answer = @Sendable (inout InlineCall) -> Void

  let method: String
  let answer: Answer

  /// The method `descriptor`, which also needs a handler, registered as unary.
  ///
  /// - Parameter answer: responds to the call, or declines by not doing so: the call then goes to the
  ///   method's handler, as do those whose request is not complete, or compressed, when it is seen first.
  public init(_ descriptor: MethodDescriptor, answer: @escaping @Sendable (inout InlineCall) -> Void) {
    method = descriptor.fullyQualifiedMethod
    self.answer = answer
  }
}

/// A call of an ``InlineMethod``.
public struct InlineCall: ~Copyable {
  private let stream: ServerStream
  /// The request's message, while the method answers and no longer.
  public let message: UnsafeRawBufferPointer
  private(set) var hasResponded = false

  init(_ stream: ServerStream, message: UnsafeRawBufferPointer) {
    self.stream = stream
    self.message = message
  }

  /// The request's metadata.
  public var metadata: Metadata { stream.head.metadata }

  /// Calls `body` with the value in the metadata of the only field of that name, which is in lower case; with
  /// nil if there is none, or more than one. Cheaper than ``metadata``.
  public func withOnlyValue<Result>(
    of name: StaticString, _ body: (UnsafeRawBufferPointer?) -> Result
  ) -> Result {
    stream.head.fields.withOnlyValue(of: name, body)
  }

  /// The client's end of the connection, as in `ServerContext`.
  public var remotePeer: String { stream.connection.peer.remote }

  /// Responds with status OK, no metadata, and a message of `count` bytes that `write` writes over zeros.
  /// Once.
  ///
  /// Returns whether it has: not with more bytes than `maxSendMessageSize`.
  @discardableResult
  public mutating func respond(count: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) -> Bool {
    precondition(!hasResponded, "a unary call has one response")
    hasResponded = stream.respond(count: count, write)
    return hasResponded
  }
}
