public import GRPCCore

/// A streaming call that a transport offers to the inline road, which needs no task while the call lasts.
public protocol InlineStreamingCall: ~Copyable {
  /// The type that sends the responses.
  associatedtype Responses: InlineResponses

  /// The request's message, valid only while the call is being accepted. Empty for a method with many requests.
  var message: UnsafeRawBufferPointer { get }
  /// The request's metadata.
  var metadata: Metadata { get }
  /// The client's end of the connection, as in `ServerContext`.
  var remotePeer: String { get }
  /// The response side of the call, which may be stored.
  var responses: Responses { get }

  /// Returns why the call was cancelled, once it is.
  var cause: @Sendable () -> CancellationCause { get }

  /// Registers `body` to be called, once, if the call ends before its response does.
  func whenCancelled(_ body: @escaping @Sendable () -> Void)
}

/// The response side of an ``InlineStreamingCall``. Its calls take effect in order, do not block, and may be made under
/// a lock.
public protocol InlineResponses: Sendable {
  /// Sends a message, unless the call has ended.
  func send(_ message: [UInt8])
  /// Ends the call with the status and the metadata of `error`, unless it has ended.
  func end(_ error: RPCError)
  /// Lets a call with many requests do the work that waits, unless it has ended.
  func wake()
}
