public import GRPCCore

/// A method whose calls are answered on the connection's event loop, without GRPCCore's task, interceptors and
/// handler, at a fraction of their cost.
///
/// Use it for answers that take microseconds, because the loop is blocked meanwhile. Answers that wait, for instance
/// for a disk, can be given later.
public struct InlineMethod: Sendable {
  /// The kinds of answers.
  enum Answer: Sendable {
    case unary(@Sendable (inout InlineCall) -> Void)
    case stream(@Sendable (borrowing InlineStream) -> Bool)
    case requests(@Sendable (borrowing InlineStream) -> InlineAcceptance)
  }

  let method: String
  let answer: Answer

  /// Declares an inline answer for the unary method `descriptor`, which also needs a handler.
  ///
  /// - Parameter answer: responds to the call, or declines by returning without a response; the call then goes to the
  ///   method's handler. So do calls whose request or response is compressed.
  public init(_ descriptor: MethodDescriptor, answer: @escaping @Sendable (inout InlineCall) -> Void) {
    method = descriptor.fullyQualifiedMethod
    self.answer = .unary(answer)
  }

  /// Declares an inline answer for the server-streaming method `descriptor`, which also needs a handler. Suits calls
  /// that last long and send little; they have no task.
  ///
  /// - Parameter accept: takes the call, which it may answer at any time, and returns true. It declines the call by
  ///   returning false; the call then goes to the method's handler, as do calls whose compressed request cannot be
  ///   inflated.
  public init(
    streaming descriptor: MethodDescriptor, accept: @escaping @Sendable (borrowing InlineStream) -> Bool
  ) {
    method = descriptor.fullyQualifiedMethod
    answer = .stream(accept)
  }

  /// Declares an inline answer for the client-streaming or bidirectional method `descriptor`, which also needs a
  /// handler. A call has a task only while a message is processed, and none while it waits for the client.
  ///
  /// - Parameter accept: decides about a call of which only the headers have arrived.
  public init(
    requests descriptor: MethodDescriptor,
    accept: @escaping @Sendable (borrowing InlineStream) -> InlineAcceptance
  ) {
    method = descriptor.fullyQualifiedMethod
    answer = .requests(accept)
  }
}

/// A call of an ``InlineMethod``.
public struct InlineCall: ~Copyable {
  private let fields: RequestFields
  /// The request's message, valid only while the method answers.
  public let message: UnsafeRawBufferPointer
  private let peer: ConnectionPeer
  private let limit: Int
  private var response: ByteQueue
  private var answer: Answer?

  /// The method's answer.
  enum Answer {
    case given
    case later(LaterResponse)
  }

  /// Computes the response: a message, or the status with which the call fails.
  public typealias LaterResponse = @Sendable (CallContext) async -> Result<[UInt8], RPCError>

  /// Creates a call of `peer` with the header fields `fields`. Its response, of at most `limit` bytes, is written to
  /// the empty buffer `response`.
  init(
    fields: RequestFields, message: UnsafeRawBufferPointer, peer: ConnectionPeer, limit: Int,
    response: ByteQueue
  ) {
    self.fields = fields
    self.message = message
    self.peer = peer
    self.limit = limit
    self.response = response
  }

  /// Returns the method's answer, or nil if it declined. Passes the response with its prefix to `response`, in exchange
  /// for an empty one, so that its memory is not copied.
  mutating func finish(_ response: inout ByteQueue) -> Answer? {
    swap(&self.response, &response)
    return answer
  }

  /// The request's metadata.
  public var metadata: Metadata { fields.metadata }

  /// Calls `body` with the value of the field `name`, in lower case, or with nil if the request has no such field or
  /// several. Cheaper than ``metadata``.
  public func withOnlyValue<Result>(
    of name: StaticString, _ body: (UnsafeRawBufferPointer?) -> Result
  ) -> Result {
    fields.withOnlyValue(of: name, body)
  }

  /// The client's end of the connection, as in `ServerContext`.
  public var remotePeer: String { peer.remote }

  /// Responds with status OK, no metadata, and a message of `count` bytes that `write` writes into zeroed memory.
  /// Call it at most once.
  ///
  /// Returns false, without an effect, if `count` exceeds `maxSendMessageSize`.
  @discardableResult
  public mutating func respond(count: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) -> Bool {
    precondition(answer == nil, "a unary call has one response")
    guard count <= limit else { return false }
    answer = .given
    let end = MessageDeframer.prefixLength + count
    response.append(atMost: end) { buffer in
      // The memory may contain data of another call.
      buffer.initializeMemory(as: UInt8.self, repeating: 0)
      buffer.storeBytes(of: UInt32(count).bigEndian, toByteOffset: 1, as: UInt32.self)
      write(UnsafeMutableRawBufferPointer(rebasing: buffer.dropFirst(MessageDeframer.prefixLength)))
      return end
    }
    return true
  }

  /// Responds later with the result of `response`. Call it at most once, and not with ``respond(count:_:)``.
  ///
  /// A message of more than `maxSendMessageSize` bytes fails the call with RESOURCE_EXHAUSTED; an error whose
  /// metadata uses reserved names fails it with INTERNAL.
  ///
  /// `response` runs in a task on the connection's event loop, from the moment that the method returns. If the call
  /// ends first, the task is cancelled, like a handler's, and its result is dropped. The request's message is no
  /// longer available to it.
  public mutating func respondLater(_ response: @escaping LaterResponse) {
    precondition(answer == nil, "a unary call has one response")
    answer = .later(response)
  }
}
