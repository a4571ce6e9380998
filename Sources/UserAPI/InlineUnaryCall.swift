public import GRPCCore

/// A unary call as a transport hands it to whoever may answer it where it arrives, short of its handler.
public protocol InlineUnaryCall: ~Copyable {
  /// The request's message, while the call is being answered and no longer.
  var message: UnsafeRawBufferPointer { get }
  /// The request's metadata.
  var metadata: Metadata { get }
  /// The client's end of the connection, as in `ServerContext`.
  var remotePeer: String { get }

  /// Calls `body` with the value in the metadata of the only field of that name, which is in lower case; with
  /// nil if there is none, or more than one.
  func withOnlyValue<Result>(of name: StaticString, _ body: (UnsafeRawBufferPointer?) -> Result) -> Result

  /// Responds with status OK, no metadata, and a message of `count` bytes that `write` writes. Once. Returns
  /// whether it has: not if the transport would not send as many.
  mutating func respond(count: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) -> Bool

  /// Responds with what `response` returns, a message or the status that the call fails with; instead of
  /// ``respond(count:_:)``, and once. It runs in a task that is cancelled when the call is over before its answer, and
  /// is given what says why it was.
  mutating func respondLater(
    _ response:
      @escaping @Sendable (_ cause: @escaping @Sendable () -> CancellationCause) async -> Result<
        [UInt8], RPCError
      >)
}
