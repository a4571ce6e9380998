public import GRPCCore

/// A unary call that a transport offers to the inline road.
public protocol InlineUnaryCall: UnaryResponse, ~Copyable {
  /// The request's message, valid only while the call is being answered.
  var message: UnsafeRawBufferPointer { get }
  /// The request's metadata.
  var metadata: Metadata { get }
  /// The client's end of the connection, as in `ServerContext`.
  var remotePeer: String { get }

  /// Calls `body` with the value of the only metadata field called `name`, in lower case; with nil for none or several.
  func withOnlyValue<Result>(of name: StaticString, _ body: (UnsafeRawBufferPointer?) -> Result) -> Result

  /// Responds with what `answer` returns: a message, or the status of a failed call. Called once, instead of
  /// ``UnaryResponse/take(count:_:)``. `answer` runs in a task that is cancelled if the call ends first, and can ask
  /// for the cause.
  mutating func answerLater(
    _ answer:
      @escaping @Sendable (_ cause: @escaping @Sendable () -> CancellationCause) async -> Result<
        [UInt8], RPCError
      >)
}
