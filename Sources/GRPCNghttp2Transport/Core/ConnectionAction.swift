import GRPCCore

/// An action that a ``ConnectionCore`` requests. ``Connection`` performs actions one at a time, in order. Streams are
/// identified by their ids.
///
/// Large values are indirect: an action is copied many times on its way.
enum ConnectionAction {
  /// Ask the call's inline method to answer: ``ConnectionCore/inlineRequest(_:)``.
  case answer(Int32)
  /// Start a task for the call's handler.
  case startHandler(Int32)
  /// Start a task that takes the messages of the call's request.
  case startTaker(Int32)
  /// Pass a waiting reader its result.
  indirect case resumeReader(Int32, RequestReading)
  /// Resume the writers that wait for room.
  case resumeWriters(Int32)
  /// Cancel the call's task and notify its method: the call has ended before its status.
  case cancel(Int32)
  /// Fail the waiting readers and writers: the stream is closed.
  case closed(Int32)
  /// Submit a frame of the response.
  case send(Int32, ResponseState.Frame)
  /// Send RST_STREAM.
  case reset(Int32, HTTP2ErrorCode)
  /// Replenish the flow-control window of a stream by this many bytes.
  case returnStreamWindow(Int32, Int)
  /// Replenish the flow-control window of the connection by this many bytes.
  case returnConnectionWindow(Int)
  /// Tell handlers that the calls to be cancelled are ended by the server.
  case callsAreCutOff
  /// Send PING.
  case ping
  /// Send a GOAWAY that permits every stream, and PING (RFC 9113 §6.8).
  case goAwayNotice
  /// Send GOAWAY with the last accepted stream, then report ``ConnectionCore/goAwaySent(last:)``.
  case goAway
  /// Send GOAWAY for a connection error.
  indirect case goAwayFor(ConnectionFault)
  /// Release the connection: it is lost and its last task has ended.
  case ended

  /// Whether nghttp2's session performs it.
  var isForSession: Bool {
    switch self {
    case .send, .reset, .returnStreamWindow, .returnConnectionWindow, .ping, .goAwayNotice, .goAway,
      .goAwayFor:
      true
    case .answer, .startHandler, .startTaker, .resumeReader, .resumeWriters, .cancel, .closed,
      .callsAreCutOff, .ended:
      false
    }
  }
}

/// The result of a handler's request for the next part of a request.
enum RequestReading {
  case part(RPCRequestPart<MessageBytes>)
  /// The request has ended normally.
  case end
  /// The request breaks the protocol or exceeds a limit.
  case failure(RPCError)
  /// The call has ended.
  case callEnded
}
