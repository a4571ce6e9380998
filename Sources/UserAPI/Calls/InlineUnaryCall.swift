public import GRPCCore

/// A unary call as a transport hands it to what may answer it where it arrives, short of its handler.
public protocol InlineUnaryCall: UnaryResponse, ~Copyable {
  /// The request's message, while the call is being answered and no longer.
  var message: UnsafeRawBufferPointer { get }
  /// The request's metadata.
  var metadata: Metadata { get }
  /// The client's end of the connection, as in `ServerContext`.
  var remotePeer: String { get }

  /// Calls `body` with the value in the metadata of the only field of that name, which is in lower case; with
  /// nil if there is none, or more than one.
  func withOnlyValue<Result>(of name: StaticString, _ body: (UnsafeRawBufferPointer?) -> Result) -> Result

  /// Answers with what `answer` returns, a message or the status that the call fails with; instead of
  /// ``UnaryResponse/take(count:_:)``, and once. It runs in a task that is cancelled when the call is over before its
  /// answer, and is given what says why it was.
  mutating func answerLater(
    _ answer:
      @escaping @Sendable (_ cause: @escaping @Sendable () -> CancellationCause) async -> Result<
        [UInt8], RPCError
      >)
}
