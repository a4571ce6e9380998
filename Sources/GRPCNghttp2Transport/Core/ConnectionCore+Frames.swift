import GRPCCore
import NIOCore

/// Input: bytes before nghttp2 reads them, then frames as nghttp2 reports them.
extension ConnectionCore {
  /// Checks received bytes. Returns whether they are passed to nghttp2.
  mutating func bytesReceived(_ bytes: UnsafeRawBufferPointer, now: NIODeadline) -> Bool {
    guard end.fault == nil, !end.mustClose, !end.isLost else { return false }
    self.now = now
    if let fault = gate.receive(bytes, streams: streams, now: now) { fail(fault) }
    return end.fault == nil
  }

  /// Records that nghttp2 has read the received bytes.
  mutating func bytesTaken() {
    // Not earlier, because nghttp2 must know the streams that came before the acknowledgement.
    if gate.takeAcknowledgement() { act(lifetime.noticeAcknowledged()) }
    memory.balance()
  }

  // MARK: Frames, while nghttp2 reads bytes

  /// Records the start of a header block.
  mutating func headersBegan(_ id: Int32, isRequest: Bool) {
    listSize.begin()
    guard isRequest else {
      block = .trailers(areMalformed: false)
      return
    }
    guard max(streams.openCount, tasks) < configuration.maxConcurrentStreams, id <= lastStream ?? .max
    else {
      streams.refused(id)
      block = .refused
      return push(.reset(id, .refusedStream))
    }
    block = .request(
      slot: streams.open(id, memory: pool.take(), maxHeaderListSize: configuration.maxHeaderListSize))
    idleSince = nil
    lifetime.streamOpened()
  }

  /// Adds a field of the header block. Returns whether the connection may continue.
  mutating func headerReceived(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>)
    -> Bool
  {
    // Counted in every block, because those of refused streams and trailers are decoded too.
    guard listSize.add(name.count, value.count, limit: configuration.maxHeaderListSize) else {
      fail(.enhanceYourCalm, "a header list is far larger than the limit")
      return false
    }
    switch block {
    case .request(let slot): streams.slots[slot].head.add(name, value, methods: methods)
    case .trailers(areMalformed: false):
      if FieldRules.isForbiddenTrailer(name, value) { block = .trailers(areMalformed: true) }
    case .trailers(areMalformed: true), .refused, .none: break
    }
    return true
  }

  /// Records the end of the header block.
  mutating func headersReceived(_ id: Int32, endsStream: Bool) {
    let complete = exchange(&block, with: .none)
    switch complete {
    case .request(let slot): requestBegan(slot, endsStream: endsStream)
    case .trailers(let areMalformed):
      guard let slot = findOpen(id) else { return }
      // Trailers have no pseudo-headers, and end the request (RFC 9113 §8.1).
      if areMalformed || !endsStream { resetMalformed(slot) } else { requestEnded(id) }
    case .refused, .none: break
    }
  }

  private mutating func requestBegan(_ slot: Int, endsStream: Bool) {
    if streams.slots[slot].head.isMalformed { return resetMalformed(slot) }
    streams.slots[slot].headersReceived()
    settle(slot)
    push(.begin(streams.slots[slot].id))
    if endsStream { requestEnded(streams.slots[slot].id) }
  }

  /// Records received DATA.
  mutating func dataReceived(_ id: Int32, _ bytes: UnsafeRawBufferPointer) {
    guard let slot = findOpen(id) else { return owe(bytes.count) }
    let fits = streams.slots[slot].count(bytes.count)
    switch streams.slots[slot].receive(bytes) {
    case .kept:
      memory.unread += bytes.count
      if memory.mustRefuse { failRequest(slot, error(.connectionIsFull)) }
    case .failed(let error):
      memory.unread += bytes.count
      failRequest(slot, error)
    case .dropped:
      // Its window has to come back all the same.
      owe(bytes.count)
      submit(slot)
    }
    if fits { touch(slot) } else { resetMalformed(slot) }
  }

  /// Records that the client has half-closed a stream.
  mutating func requestEnded(_ id: Int32) {
    guard let slot = findOpen(id) else { return }
    guard streams.slots[slot].isWhole else { return resetMalformed(slot) }
    if let error = streams.slots[slot].requestEnded() { failRequest(slot, error) }
    touch(slot)
  }

  /// Records that nghttp2 has closed a stream.
  mutating func streamClosed(_ id: Int32) {
    guard let slot = findOpen(id) else { return }
    if block == .request(slot: slot) { block = .none }
    endCall(slot)
    streams.closed()
    streams.slots[slot].life = .closed
    if !streams.slots[slot].hasTask { forget(slot) }
    act(lifetime.streamClosed(now: now))
    if streams.openCount == 0 { idleSince = now }
  }

  /// Records that nghttp2 ends the connection with this error.
  mutating func sessionFailed(_ code: HTTP2ErrorCode, _ reason: String) {
    guard code != .noError, end.fault == nil, end.sessionFault == nil else { return }
    end.sessionFault = ConnectionFault(code, reason.isEmpty ? code.name : "\(code.name): \(reason)")
  }

  /// Returns the slot of a call whose stream is open in nghttp2.
  mutating func findOpen(_ id: Int32) -> Int? {
    guard let slot = streams.find(id), streams.slots[slot].life != .closed else { return nil }
    return slot
  }

  /// Ends the call of a malformed request, which is a stream error (RFC 9113 §8.1.1). nghttp2 closes the stream after
  /// RST_STREAM.
  private mutating func resetMalformed(_ slot: Int) {
    endCall(slot)
    push(.reset(streams.slots[slot].id, .protocolError))
  }
}
