import NIOCore

/// What nghttp2's callbacks tell. They only take notes, and do not enter nghttp2.
extension Connection {
  func headersBegan(_ id: Int32, isRequest: Bool) {
    headerListSize = 0
    trailersAreMalformed = false
    newestRequest = max(newestRequest, id)
    guard isRequest else { return }
    guard max(streams.count, runningHandlers) < configuration.maxConcurrentStreams, id <= lastStream ?? .max
    else {
      refused.append((id, .refusedStream))
      return
    }
    var memory = executor.takeStreamMemory()
    let head = RequestHead(maxListSize: configuration.maxHeaderListSize, fields: memory.takeFields())
    arriving = ArrivingRequest(id: id, head: head, memory: memory)
    lifetime.streamOpened()
  }

  /// Returns whether the connection may go on.
  func headerReceived(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Bool {
    // Of every block: a refused stream's and trailers have to be decoded too.
    headerListSize += name.count + value.count + 32
    if headerListSize > configuration.maxHeaderListSize * Self.bombFactor {
      fail(.enhanceYourCalm, "a header list is far larger than the limit")
      return false
    }
    if arriving != nil {
      arriving?.head.add(name, value, methods: methods)
    } else if !trailersAreMalformed {
      trailersAreMalformed = FieldRules.isForbiddenTrailer(name, value)
    }
    return true
  }

  func headersReceived(_ id: Int32, endsStream: Bool) {
    if let request = arriving.take() {
      if request.head.isMalformed {
        abandoned += 1
        refused.append((id, .protocolError))
        return
      }
      let stream = ServerStream(request, connection: self)
      streams[id] = stream
      current = stream
      begun.append(stream)
    } else if let stream = stream(id), trailersAreMalformed || !endsStream {
      // Trailers have no pseudo-headers, and end the request (RFC 9113 §8.1).
      return malformed(stream)
    }
    if endsStream { requestEnded(id) }
  }

  func dataReceived(_ id: Int32, _ bytes: UnsafeRawBufferPointer) {
    guard let stream = stream(id) else {
      windowToReturn += bytes.count
      return
    }
    stream.dataReceived(bytes)
    guard stream.bodyLength <= stream.head.contentLength ?? .max else { return malformed(stream) }
    touch(stream)
  }

  func requestEnded(_ id: Int32) {
    guard let stream = stream(id) else { return }
    guard stream.bodyLength == stream.head.contentLength ?? stream.bodyLength else {
      return malformed(stream)
    }
    stream.requestEnded()
    touch(stream)
  }

  /// A request of which a part was taken breaks the rules of HTTP/2, a stream error (RFC 9113 §8.1.1).
  private func malformed(_ stream: ServerStream) {
    stream.isMalformed = true
    refused.append((stream.id, .protocolError))
  }

  /// nghttp2 ends the connection, and tells the client why.
  func goAwaySent(_ code: HTTP2Session.ErrorCode, _ reason: String) {
    guard code != .noError, fault == nil, nghttp2Fault == nil else { return }
    nghttp2Fault = Fault(code: code, reason: reason.isEmpty ? code.name : "\(code.name): \(reason)")
  }

  private func touch(_ stream: ServerStream) {
    guard stream.wantsDelivery, touched.last !== stream else { return }
    touched.append(stream)
  }

  func streamClosed(_ id: Int32) {
    if current?.id == id { current = nil }
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
    guard let stream = stream(id) else { return }
    stream.responseHasEnded = true
    if !stream.requestHasEnded { ended.append(id) }
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
    memory.unsent -= count
    output.writeBytes(header)
    stream.moveOutput(count, to: &output)
    pings.responseSent()
    floods.responseSent()
    if endsStream { responseEnded(stream.id) }
    return output.readableBytes < outputLimit
  }
}
