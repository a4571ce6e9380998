import GRPCCore
import NIOCore

/// Output: nghttp2 requests DATA, and reports the frames that it has sent.
extension ConnectionCore {
  /// Starts to gather about `limit` bytes in the empty buffer `buffer`.
  mutating func beginOutput(in buffer: ByteBuffer, limit: Int, now: NIODeadline) {
    self.now = now
    outputLimit = limit
    output = buffer
  }

  /// Whether fewer bytes than the limit have been gathered.
  var wantsOutput: Bool { output.readableBytes < outputLimit }

  /// Takes the gathered bytes.
  mutating func takeOutput() -> ByteBuffer { exchange(&output, with: ByteBuffer()) }

  /// Ends the turn of the loop: resumes calls that wait for room, and asks the process's budget for missing memory.
  mutating func turnEnded() {
    resumeWaitingForRoom()
    memory.balance()
    updateWakeup()
  }

  // MARK: Frames, while nghttp2 sends

  /// Returns how many bytes of DATA there are, at most `limit`, and whether they are all.
  mutating func dataWanted(_ id: Int32, atMost limit: Int) -> (count: Int, isLast: Bool) {
    guard let slot = streams.find(id) else { return (0, true) }
    return streams.slots[slot].dataWanted(atMost: limit)
  }

  /// Writes a DATA frame: its header and `count` bytes. Returns whether there is room for more.
  mutating func dataSent(_ id: Int32, header: UnsafeRawBufferPointer, count: Int, endsStream: Bool) -> Bool {
    guard let slot = streams.find(id) else { return wantsOutput }
    memory.unsent -= count
    output.writeBytes(header)
    // A large message must not leave a large buffer with its stream; a buffer within the back-pressure limit is kept.
    streams.slots[slot].moveOutput(count, to: &output, largest: 4 * configuration.writeBufferSize)
    gate.responseSent()
    if streams.slots[slot].notes.insert(.sent).inserted { push(.sent(id)) }
    if endsStream { responseEnded(slot) }
    return wantsOutput
  }

  /// Records that HEADERS were sent.
  mutating func headersSent(_ id: Int32, endsStream: Bool) {
    gate.responseSent()
    if endsStream, let slot = streams.find(id) { responseEnded(slot) }
  }

  /// Records that HEADERS were too large for nghttp2 to send.
  mutating func headersNotSent(_ id: Int32) { push(.reset(id, .internalError)) }

  /// Records that the last frame of the response was sent. A client that is still sending is told to stop (RFC 9113
  /// §8.1).
  private mutating func responseEnded(_ slot: Int) {
    streams.slots[slot].response.endSent()
    if !streams.slots[slot].request.hasEnded { push(.reset(streams.slots[slot].id, .noError)) }
  }

  /// Records that RST_STREAM was sent.
  mutating func resetSent(_ code: HTTP2ErrorCode) {
    // CANCEL follows a deadline or a send time-out, which a client cannot provoke in large numbers.
    guard code != .noError, code != .cancel, let fault = gate.resetSent(now: now) else { return }
    fail(fault)
  }

  /// Records that bytes of the response were sent: submits further frames and resumes writers.
  mutating func outputSent(_ slot: Int) -> ConnectionAction? {
    let left = streams.slots[slot].output.count
    streams.slots[slot].times.renewSending(left: left, timeout: sendTimeout, now: now)
    noteWakeup(slot)
    submit(slot)
    guard left <= configuration.writeBufferSize / 2 else { return nil }
    if case .taken = streams.slots[slot].stage {
      if isFull(slot) { waitForRoom(slot) } else { return takeRequests(slot) }
    } else if streams.slots[slot].writersWait {
      if isFull(slot) { waitForRoom(slot) } else { resumeWriters(slot) }
    }
    return nil
  }
}
