public import GRPCCore

/// Takes the messages of one call's request, one after the other, and answers them: see
/// ``InlineMethod/init(requests:accept:)``.
///
/// Its methods run in a task on the connection's event loop, never two at once. The task is cancelled when the call is
/// over before its status, as a handler's is. While the client does not read its responses, no message is taken.
public protocol InlineRequests: Sendable {
  /// Takes the next message, inflated.
  mutating func receive(_ message: MessageBytes) async -> InlineStep

  /// The request has ended: in good order, or with `failure` where it breaks the protocol or exceeds a limit. The call has
  /// to end now.
  mutating func requestEnded(_ failure: RPCError?) async -> InlineStep

  /// The call is over and no ``InlineStep/end(_:_:)`` was sent: its client has gone, its deadline has passed, the server
  /// stops, or a message was too large to be sent. Called once, on the connection's event loop, behind everything else; also
  /// behind an end that came too late.
  mutating func callEnded()
}

/// What becomes of a call of ``InlineMethod/init(requests:accept:)``.
public enum InlineAcceptance: Sendable {
  /// Its messages are taken.
  case taken(any InlineRequests)
  /// It ends with the status and the metadata of the error.
  case refused(RPCError)
  /// Nothing was done: it goes to the method's handler.
  case declined
}

/// What happens next in a call whose request ``InlineRequests`` take.
public enum InlineStep: Sendable {
  /// The next message is taken.
  case next
  /// A message of the response is sent, and then the next message is taken.
  case send(MessageBytes)
  /// The call ends with status OK behind the message, if there is one, or with the status and the metadata of the error.
  case end(MessageBytes?, RPCError?)
}
