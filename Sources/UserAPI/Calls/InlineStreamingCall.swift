public import GRPCCore

/// A streaming call as a transport hands it to whatever may answer it short of its handler, without a task for as long as
/// it lasts.
public protocol InlineStreamingCall: ~Copyable {
  /// What sends the responses.
  associatedtype Responses: InlineResponses

  /// The request's message, while the call is being accepted and no longer. Empty where there may be any number of them.
  var message: UnsafeRawBufferPointer { get }
  /// The request's metadata.
  var metadata: Metadata { get }
  /// The client's end of the connection, as in `ServerContext`.
  var remotePeer: String { get }
  /// The response's side, which can be kept.
  var responses: Responses { get }

  /// Says why the call was cancelled, once it was.
  var cause: @Sendable () -> CancellationCause { get }

  /// Has `body` called, once, if the call ends before its response does.
  func whenCancelled(_ body: @escaping @Sendable () -> Void)
}

/// The response's side of an ``InlineStreamingCall``. What it is given takes effect in the order of its calls, which do
/// not block and may be made under a lock.
public protocol InlineResponses: Sendable {
  /// Sends a message, unless the call has ended.
  func send(_ message: [UInt8])
  /// Ends the call with the status and the metadata of `error`, unless it has ended.
  func end(_ error: RPCError)
}
