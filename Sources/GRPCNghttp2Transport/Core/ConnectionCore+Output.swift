import GRPCCore
import NIOCore

/// What leaves: nghttp2 asks for DATA, and tells which frames it has sent.
extension ConnectionCore {
  /// Begins to gather about `limit` bytes in `buffer`.
  mutating func beginOutput(in buffer: ByteBuffer, limit: Int, now: NIODeadline) {
    self.now = now
    outputLimit = limit
    output = buffer
    // In place, if the socket has taken what was in it; otherwise in memory of its own.
    output.clear()
  }

  /// Whether less has been gathered than is wanted.
  var wantsOutput: Bool { output.readableBytes < outputLimit }

  /// What has been gathered.
  mutating func takeOutput() -> ByteBuffer { exchange(&output, with: ByteBuffer()) }

  /// The turn of the loop is over: those that wait for room go on, and the process's budget is asked for what is missing.
  mutating func turnEnded() {
    resumeWaitingForRoom()
    memory.balance()
    updateWakeup()
  }

  // MARK: Frames, while nghttp2 sends

  /// nghttp2 asks for at most `limit` bytes of DATA. Returns how many there are, and whether they are all.
  mutating func dataWanted(_ id: Int32, atMost limit: Int) -> (count: Int, isLast: Bool) {
    guard let slot = streams.find(id) else { return (0, true) }
    return streams[slot].dataWanted(atMost: limit)
  }

  /// A DATA frame of `count` bytes is sent: its header, and what it carries. Returns whether there is room for more.
  mutating func dataSent(_ id: Int32, header: UnsafeRawBufferPointer, count: Int, endsStream: Bool) -> Bool {
    guard let slot = streams.find(id) else { return wantsOutput }
    memory.unsent -= count
    output.writeBytes(header)
    // A large message must not leave its stream with a large buffer; what suspends the handler is not large.
    streams[slot].moveOutput(count, to: &output, largest: 4 * configuration.writeBufferSize)
    gate.responseSent()
    if streams[slot].notes.insert(.sent).inserted { push(.sent(id)) }
    if endsStream { responseEnded(slot) }
    return wantsOutput
  }

  /// HEADERS have been sent.
  mutating func headersSent(_ id: Int32, endsStream: Bool) {
    gate.responseSent()
    if endsStream, let slot = streams.find(id) { responseEnded(slot) }
  }

  /// HEADERS were too large for nghttp2 to send.
  mutating func headersNotSent(_ id: Int32) { push(.reset(id, .internalError)) }

  /// The frame that ends the response has been sent: the client is told to stop sending what is not read (RFC 9113 §8.1).
  private mutating func responseEnded(_ slot: Int) {
    streams[slot].response.endSent()
    if !streams[slot].request.hasEnded { push(.reset(streams[slot].id, .noError)) }
  }

  /// RST_STREAM has been sent.
  mutating func resetSent(_ code: HTTP2ErrorCode) {
    // CANCEL is the end of a deadline, or of our patience with a reader, which a client does not provoke in numbers.
    guard code != .noError, code != .cancel, let fault = gate.resetSent(now: now) else { return }
    fail(fault)
  }

  /// Bytes of the response have left for the wire: frames may be due, and writers go on.
  mutating func outputSent(_ slot: Int) -> ConnectionAction? {
    let left = streams[slot].output.readableBytes
    streams[slot].times.renewSending(left: left, timeout: sendTimeout, now: now)
    noteWakeup(slot)
    submit(slot)
    guard left <= configuration.writeBufferSize / 2 else { return nil }
    if case .taken = streams[slot].stage {
      if isFull(slot) { waitForRoom(slot) } else { return takeRequests(slot) }
    } else if streams[slot].writersWait {
      if isFull(slot) { waitForRoom(slot) } else { resumeWriters(slot) }
    }
    return nil
  }
}
