import GRPCCore

/// What a ``ConnectionCore`` wants done. ``Connection`` performs actions one at a time, in their order; streams are named
/// by their ids.
enum ConnectionAction {
  /// Ask the call's inline method to answer it: ``ConnectionCore/takeInlineRequest(_:)``.
  case answer(Int32)
  /// Start a task for the call's handler.
  case startHandler(Int32)
  /// Start a task that takes the messages of the call's request.
  case startTaker(Int32)
  /// Hand a waiting reader what it waits for.
  case resumeReader(Int32, RequestReading)
  /// Let the writers go on that wait for room.
  case resumeWriters(Int32)
  /// Cancel the call's task and tell its method: the call is over before its status.
  case cancel(Int32)
  /// The stream is closed: readers and writers that wait fail.
  case closed(Int32)
  /// Submit a frame of the response.
  case send(Int32, ResponseState.Frame)
  /// Send RST_STREAM.
  case reset(Int32, HTTP2ErrorCode)
  /// Return flow-control window of a stream, in bytes.
  case returnStreamWindow(Int32, Int)
  /// Return flow-control window of the connection, in bytes.
  case returnConnectionWindow(Int)
  /// Let handlers know that the calls which are going to be cancelled are cut off by the server.
  case callsAreCutOff
  /// Send PING.
  case ping
  /// Send GOAWAY that permits every stream, and PING (RFC 9113 §6.8).
  case goAwayNotice
  /// Send GOAWAY with the last stream that was accepted: ``ConnectionCore/goAwaySent(last:)``.
  case goAway
  /// Send GOAWAY for a fault.
  case goAwayFor(ConnectionFault)
  /// The connection is lost and its last task has ended.
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

/// What a handler gets that asks for the next part of a request.
enum RequestReading {
  case part(RPCRequestPart<MessageBytes>)
  /// The request has ended in good order.
  case end
  /// The request breaks the protocol or exceeds a limit.
  case failure(RPCError)
  /// The call is over.
  case over
}
