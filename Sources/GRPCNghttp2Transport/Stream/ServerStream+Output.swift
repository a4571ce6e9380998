import GRPCCore
import NIOCore

/// What the connection takes of the response.
extension ServerStream {
  /// Moves `count` bytes of the response to the connection's.
  func moveOutput(_ count: Int, to buffer: inout ByteBuffer) {
    sentSinceRenewal += count
    output.readWithUnsafeReadableBytes { bytes in
      buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
      return min(count, bytes.count)
    }
    if output.readableBytes == 0 {
      // A large message must not leave its stream with a large buffer; what suspends the handler is not
      // large.
      if output.capacity > 4 * configuration.writeBufferSize { output = ByteBuffer() } else { output.clear() }
    }
  }

  /// Bytes of the response have left for the wire.
  func outputSent(now: NIODeadline) {
    if output.readableBytes == 0 {
      sendBy = .distantFuture
    } else if sentSinceRenewal >= Self.progress {
      // Less than that is no progress: a byte now and then would keep a handler for ever.
      sentSinceRenewal = 0
      sendBy = now + TimeAmount(configuration.sendTimeout)
    }
    noteWakeup()
    guard !writers.isEmpty || takesRequests, output.readableBytes <= configuration.writeBufferSize / 2
    else { return }
    if isFull { return connection.waitForRoom(self) }
    resumeWriters()
    takeRequests(now: now)
  }

  func resumeWriters() {
    guard !writers.isEmpty else { return }
    let resumed = writers
    writers = []
    for writer in resumed { writer.continuation.resume() }
  }

  /// The next frame of the response to submit, which counts as submitted from now on.
  func nextStep(now: NIODeadline) -> ResponseState.Step {
    let step = response.advance(buffered: output.readableBytes)
    if case .data = step, sendBy == .distantFuture {
      sendBy = now + TimeAmount(configuration.sendTimeout)
      noteWakeup()
    }
    return step
  }

  /// nghttp2 asks for DATA: how many bytes there are, at most `limit`, and whether these are all.
  func dataWanted(atMost limit: Int) -> (count: Int, isLast: Bool) {
    let count = min(limit, output.readableBytes)
    if count == output.readableBytes { response.dataSubmitted() }
    return (count, count == output.readableBytes)
  }
}
