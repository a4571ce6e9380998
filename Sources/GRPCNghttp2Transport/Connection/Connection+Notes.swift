import NIOCore

/// What nghttp2's callbacks tell. They only take notes, and do not enter nghttp2.
extension Connection {
  func headersBegan(_ id: Int32, isRequest: Bool) {
    headerListSize = 0
    // The one before was not completed: nghttp2 has found it malformed, and resets it.
    if arriving != nil { abandonArriving() }
    guard isRequest else { return }
    guard max(streams.count, runningHandlers) < configuration.maxConcurrentStreams, id <= lastStream ?? .max
    else {
      refused.append(id)
      return
    }
    var memory = executor.takeStreamMemory()
    let head = RequestHead(maxListSize: configuration.maxHeaderListSize, fields: memory.takeFields())
    arriving = ArrivingRequest(id: id, head: head, memory: memory)
    lifetime.streamOpened()
  }

  private func abandonArriving() {
    arriving = nil
    abandoned += 1
  }

  /// Returns whether the connection may go on.
  func headerReceived(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Bool {
    // Of every block: a refused stream's and trailers have to be decoded too.
    headerListSize += name.count + value.count + 32
    if headerListSize > configuration.maxHeaderListSize * Self.bombFactor {
      fail(.enhanceYourCalm, "a header list is far larger than the limit")
      return false
    }
    arriving?.head.add(name, value, methods: methods)
    return true
  }

  func headersReceived(_ id: Int32, endsStream: Bool) {
    if let request = arriving.take() {
      let stream = ServerStream(request, connection: self)
      streams[id] = stream
      current = stream
      begun.append(stream)
    }
    if endsStream { requestEnded(id) }
  }

  func dataReceived(_ id: Int32, _ bytes: UnsafeRawBufferPointer) {
    // The connection's window comes back at once, so that one slow stream does not stop the others.
    windowToReturn += bytes.count
    guard let stream = stream(id) else { return }
    stream.dataReceived(bytes)
    touch(stream)
  }

  func requestEnded(_ id: Int32) {
    guard let stream = stream(id) else { return }
    stream.requestEnded()
    touch(stream)
  }

  private func touch(_ stream: ServerStream) {
    guard stream.wantsDelivery, touched.last !== stream else { return }
    touched.append(stream)
  }

  func streamClosed(_ id: Int32) {
    if current?.id == id { current = nil }
    if arriving?.id == id { abandonArriving() }
    if let stream = streams.removeValue(forKey: id) { closed.append(stream) }
  }

  func headersSent(_ id: Int32, endsStream: Bool) {
    pings.responseSent()
    floods.responseSent()
    if endsStream { responseEnded(id) }
  }

  /// Headers were too large for nghttp2 to send.
  func headersNotSent(_ id: Int32) { unsent.append(id) }

  /// The client is told to stop sending what nobody reads (RFC 9113 §8.1).
  private func responseEnded(_ id: Int32) {
    if let stream = stream(id), !stream.requestHasEnded { ended.append(id) }
  }

  func resetSent(_ code: HTTP2Session.ErrorCode) {
    // CANCEL is the end of a deadline, or of our patience with a reader, which nobody provokes in numbers.
    guard code != .noError, code != .cancel, let flood = floods.resetSent(now: now) else { return }
    fail(.enhanceYourCalm, flood.rawValue)
  }

  func dataWanted(_ stream: ServerStream, atMost limit: Int) -> (count: Int, isLast: Bool) {
    let (count, isLast) = stream.dataWanted(atMost: limit)
    sent.append(stream)
    return (count, isLast)
  }

  /// Returns whether there is room for more.
  func sendData(
    _ stream: ServerStream, header: UnsafeRawBufferPointer, count: Int, endsStream: Bool
  ) -> Bool {
    output.writeBytes(header)
    stream.moveOutput(count, to: &output)
    pings.responseSent()
    floods.responseSent()
    if endsStream { responseEnded(stream.id) }
    return output.readableBytes < outputLimit
  }
}
