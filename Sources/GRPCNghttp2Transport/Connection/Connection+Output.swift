import GRPCCore
import NIOCore

/// What the connection sends: the frames that its streams have to submit, as bytes in the order of nghttp2.
extension Connection {
  /// `stream` has a frame to submit, or window to give back.
  func submitLater(_ stream: ServerStream) {
    guard !stream.isDirty, session != nil else { return }
    stream.isDirty = true
    dirty.append(stream)
    onWork()
  }

  /// Ends `stream` without a status.
  func reset(_ stream: ServerStream, _ code: HTTP2Session.ErrorCode) {
    session?.submitReset(stream.id, code)
    onWork()
  }

  /// The next bytes to send, about `limit` of them; nil if there are none.
  func produce(upTo limit: Int, now: NIODeadline) -> ByteBuffer? {
    self.now = now
    outputLimit = limit
    output = executor.spareBuffer
    executor.spareBuffer = ByteBuffer()
    // In place, if the socket has taken what was in it; otherwise in memory of its own.
    output.clear()
    do throws(HTTP2Session.Failure) {
      repeat {
        submit()
        while output.readableBytes < limit, let bytes = try session?.nextOutput() { append(bytes) }
      } while output.readableBytes < limit && hasNotes && session != nil
    } catch {
      fail(.protocolError, error.reason)
      mustClose = true
    }
    defer {
      resumeWaiting()
      memory.balance()
      if output.capacity <= LoopExecutor.largestSpareBuffer { executor.spareBuffer = output }
      output = ByteBuffer()
    }
    return output.readableBytes > 0 ? output : nil
  }

  /// Whether ``submit()`` has something to do.
  private var hasNotes: Bool {
    !dirty.isEmpty || !closed.isEmpty || !ended.isEmpty || !unsent.isEmpty || !sent.isEmpty
      || windowToReturn > 0 || abandoned > 0 || (fault != nil && !hasSentFault)
  }

  private func submit() {
    while hasNotes, session != nil {
      if let fault, !hasSentFault {
        hasSentFault = true
        mustClose = true
        session?.submitGoAway(fault.code, fault.reason)
      }
      endClosed()
      if !ended.isEmpty {
        for id in ended { session?.submitReset(id, .noError) }
        ended.removeAll(keepingCapacity: true)
      }
      if !unsent.isEmpty {
        for id in unsent { session?.submitReset(id, .internalError) }
        unsent.removeAll()
      }
      if !sent.isEmpty {
        let streams = take(&sent)
        for stream in streams where !stream.isClosed {
          stream.outputSent(now: now)
          submit(stream)
        }
        giveBack(streams)
      }
      if !dirty.isEmpty {
        let streams = take(&dirty)
        for stream in streams { submitDirty(stream) }
        giveBack(streams)
      }
      returnWindow()
    }
  }

  private func submitDirty(_ stream: ServerStream) {
    stream.isDirty = false
    if stream.windowToReturn > 0 {
      session?.consumeStream(stream.id, stream.windowToReturn)
      stream.windowToReturn = 0
    }
    if !stream.isClosed { submit(stream) }
  }

  private func submit(_ stream: ServerStream) {
    while true {
      switch stream.nextStep(now: now) {
      case .nothing: return
      case .headers(let metadata):
        if metadata.isEmpty, stream.responseEncoding == .identity {
          session?.submitHeaders(stream.id, Self.plainHeaders, endsStream: false)
        } else {
          submitHeaders(stream, endsStream: false) { block in
            addResponseHeaders(stream, to: &block)
            block.add(metadata)
          }
        }
      case .trailersOnly(let httpStatus, let status, let metadata):
        submitHeaders(stream, endsStream: true) { block in
          addResponseHeaders(stream, httpStatus: httpStatus, to: &block)
          block.add(status)
          block.add(metadata)
        }
      case .httpHeaders(let httpStatus, let endsStream):
        submitHeaders(stream, endsStream: endsStream) { block in
          block.add(":status", String(httpStatus))
          if httpStatus == 405 { block.add("allow", "POST") }
          block.add("content-type", "text/plain; charset=utf-8")
        }
      case .data(let endsStream):
        session?.submitData(stream, endsStream: endsStream)
        // What follows waits until nghttp2 has asked for it.
        return
      case .trailers(let status, let metadata)
      where status.code == .ok && status.message.isEmpty && metadata.isEmpty:
        session?.submitHeaders(stream.id, Self.plainTrailers, endsStream: true)
        return
      case .trailers(let status, let metadata):
        submitHeaders(stream, endsStream: true) { block in
          block.add(status)
          block.add(metadata)
        }
      }
    }
  }

  /// The headers of a response without metadata, and the trailers of a success without.
  private static let plainHeaders = {
    var block = HeaderBlock()
    block.addResponseHeaders(httpStatus: 200)
    return block
  }()
  private static let plainTrailers = {
    var block = HeaderBlock()
    block.add(Status(code: .ok, message: ""))
    return block
  }()

  private func addResponseHeaders(_ stream: ServerStream, httpStatus: Int = 200, to block: inout HeaderBlock)
  {
    block.addResponseHeaders(httpStatus: httpStatus)
    if stream.responseEncoding != .identity { block.add("grpc-encoding", stream.responseEncoding.rawValue) }
  }

  private func submitHeaders(_ stream: ServerStream, endsStream: Bool, _ fill: (inout HeaderBlock) -> Void) {
    block.removeAll()
    fill(&block)
    session?.submitHeaders(stream.id, block, endsStream: endsStream)
  }

  private func append(_ bytes: UnsafeRawBufferPointer) {
    output.writeBytes(bytes)
    if !hasPatchedSettings {
      // The first frame is SETTINGS, and its first setting MAX_CONCURRENT_STREAMS: 9 bytes of header, 2 of
      // the id.
      hasPatchedSettings = true
      guard bytes.count >= 15, bytes[3] == 0x4 else { return }
      output.setInteger(UInt32(clamping: configuration.maxConcurrentStreams), at: output.readerIndex + 11)
    }
  }
}
