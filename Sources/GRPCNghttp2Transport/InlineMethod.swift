public import GRPCCore
import NIOCore

/// A unary method that can be answered where its calls arrive: on the connection's event loop and without what
/// GRPCCore does for a handler, which costs a fraction of a handler's call.
///
/// For answers that take microseconds: meanwhile the loop serves nobody else. Those that wait for something else,
/// such as a disk, are given later.
public struct InlineMethod: Sendable {
  /// How calls are answered.
  enum Answer: Sendable {
    case unary(@Sendable (inout InlineCall) -> Void)
    case stream(@Sendable (borrowing InlineStream) -> Bool)
    case requests(@Sendable (borrowing InlineStream) -> InlineAcceptance)
  }

  let method: String
  let answer: Answer

  /// The method `descriptor`, which also needs a handler, registered as unary.
  ///
  /// - Parameter answer: responds to the call, or declines by not doing so: the call then goes to the
  ///   method's handler, as do those whose request is not complete, or compressed, when it is seen first.
  public init(_ descriptor: MethodDescriptor, answer: @escaping @Sendable (inout InlineCall) -> Void) {
    method = descriptor.fullyQualifiedMethod
    self.answer = .unary(answer)
  }

  /// The method `descriptor`, which also needs a handler, registered as server-streaming. Its calls last long, send
  /// little, and have no task.
  ///
  /// - Parameter accept: takes the call, which it answers whenever it likes, and returns true; or returns false, having
  ///   done nothing: the call then goes to the method's handler, as do those whose request is compressed.
  public init(
    streaming descriptor: MethodDescriptor, accept: @escaping @Sendable (borrowing InlineStream) -> Bool
  ) {
    method = descriptor.fullyQualifiedMethod
    answer = .stream(accept)
  }

  /// The method `descriptor`, which also needs a handler, registered as client-streaming or bidirectional. A call has a
  /// task only while a message of its request is being worked on, and none while the client is waited for.
  ///
  /// - Parameter accept: says what becomes of a call, of which nothing but the headers is there.
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
  /// The request's message, while the method answers and no longer.
  public let message: UnsafeRawBufferPointer
  private let peer: ConnectionPeer
  private let limit: Int
  private var response: ByteBuffer
  private var answer: Answer?

  /// What the method has made of the call.
  enum Answer {
    case given
    case later(LaterResponse)
  }

  /// Makes the response: a message, or the status that the call fails with.
  public typealias LaterResponse = @Sendable (CallContext) async -> Result<[UInt8], RPCError>

  /// A call with the header fields `fields` of `peer`, whose response of at most `limit` bytes is written to `response`, which
  /// is empty.
  init(
    fields: RequestFields, message: UnsafeRawBufferPointer, peer: ConnectionPeer, limit: Int,
    response: ByteBuffer
  ) {
    self.fields = fields
    self.message = message
    self.peer = peer
    self.limit = limit
    self.response = response
  }

  /// What the method has made of the call, and the response with its prefix.
  consuming func finish() -> (Answer?, ByteBuffer) { (answer, response) }

  /// The request's metadata.
  public var metadata: Metadata { fields.metadata }

  /// Calls `body` with the value in the metadata of the only field of that name, which is in lower case; with
  /// nil if there is none, or more than one. Cheaper than ``metadata``.
  public func withOnlyValue<Result>(
    of name: StaticString, _ body: (UnsafeRawBufferPointer?) -> Result
  ) -> Result {
    fields.withOnlyValue(of: name, body)
  }

  /// The client's end of the connection, as in `ServerContext`.
  public var remotePeer: String { peer.remote }

  /// Responds with status OK, no metadata, and a message of `count` bytes that `write` writes over zeros.
  /// Once.
  ///
  /// Returns whether it has: not with more bytes than `maxSendMessageSize`.
  @discardableResult
  public mutating func respond(count: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) -> Bool {
    precondition(answer == nil, "a unary call has one response")
    guard count <= limit else { return false }
    answer = .given
    let end = MessageDeframer.prefixLength + count
    response.writeWithUnsafeMutableBytes(minimumWritableBytes: end) { buffer in
      // The memory may be another call's.
      let buffer = UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(end))
      buffer.initializeMemory(as: UInt8.self, repeating: 0)
      buffer.storeBytes(of: UInt32(count).bigEndian, toByteOffset: 1, as: UInt32.self)
      write(UnsafeMutableRawBufferPointer(rebasing: buffer.dropFirst(MessageDeframer.prefixLength)))
      return end
    }
    return true
  }

  /// Responds with what `response` returns, once it does. Instead of ``respond(count:_:)``, and once. It is a message of
  /// at most `maxSendMessageSize` bytes, or the call fails with RESOURCE_EXHAUSTED; or a failure, whose metadata may
  /// have the names that a handler's may, or the call fails with INTERNAL.
  ///
  /// It runs in a task on the connection's event loop, from the moment that the method returns. The task is cancelled
  /// when the call is over before its answer, as a handler's is; what it returns then is dropped. The message of the
  /// request is gone when it runs.
  public mutating func respondLater(_ response: @escaping LaterResponse) {
    precondition(answer == nil, "a unary call has one response")
    answer = .later(response)
  }
}
