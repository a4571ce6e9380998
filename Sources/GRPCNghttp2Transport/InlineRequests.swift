public import GRPCCore

/// Takes the messages of one call's request, one after another, and answers them: see
/// ``InlineMethod/init(requests:accept:)``.
///
/// Its methods run in a task on the connection's event loop, never concurrently. Like a handler's, the task is
/// cancelled when the call ends before its status. No message is taken while the client does not read its responses.
public protocol InlineRequests: Sendable {
  /// Takes the next message, inflated, within microseconds. Returns nil to leave what may suspend to ``work()``, which is
  /// then called.
  mutating func receive(_ message: MessageBytes) -> InlineStep?

  /// Does the work that ``receive(_:)`` has left. No message is taken until it returns. It may suspend, but not occupy the
  /// event loop for long.
  mutating func work() async -> InlineStep

  /// Whether messages that were taken wait for ``work()``, which is called when no other message has arrived. So a method
  /// can handle as many messages at once as the client sends meanwhile. It is read when no message is available, and after
  /// ``InlineStream/Responses/wake()``: work that goes on elsewhere can so be waited for while messages are taken.
  var hasWaitingWork: Bool { get }

  /// Called at the end of the request, with `failure` if the request violates the protocol or a limit. Must end the
  /// call.
  mutating func requestEnded(_ failure: RPCError?) async -> InlineStep

  /// Called if the call has ended without an ``InlineStep/end(_:_:)`` being sent: the client has disconnected, the
  /// deadline has passed, the server stops, or a message was too large. Called once and last, on the connection's
  /// event loop; also after an end that came too late.
  mutating func callEnded()
}

extension InlineRequests {
  /// False: every message is handled when it is taken.
  public var hasWaitingWork: Bool { false }
}

/// The decision about a call of ``InlineMethod/init(requests:accept:)``.
public enum InlineAcceptance: Sendable {
  /// Take the messages of the call.
  case taken(any InlineRequests)
  /// End the call with the status and metadata of the error.
  case refused(RPCError)
  /// Leave the call to the method's handler; the method must not have had an effect.
  case declined
}

/// The next step of a call whose request ``InlineRequests`` take.
public enum InlineStep: Sendable {
  /// Take the next message.
  case next
  /// Send a message of the response, then take the next message.
  case send(MessageBytes)
  /// End the call: send the message, if any, then status OK, or the status and metadata of the error.
  case end(MessageBytes?, RPCError?)
}
