import GRPCCore
import NIOCore
import Synchronization

/// The handler's side of a call, which may run anywhere and goes to the connection's event loop.
extension ServerStream {
  /// The next part of the request, nil at its end.
  ///
  /// - Throws: `RPCError` for a request that breaks the protocol, `CancellationError` if the call is over.
  func nextPart() async throws -> Part? {
    if connection.executor.isSliceOver { await connection.executor.rest() }
    if connection.executor.isCurrent, let result = takePart() { return try result.get() }
    return try await waitForPart()
  }

  private func waitForPart() async throws -> Part? {
    let wait = Wait()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        connection.executor.run { self.read(continuation, wait) }
      }
    } onCancel: {
      wait.isCancelled.store(true, ordering: .relaxed)
      connection.executor.run { self.stopReading(wait) }
    }
  }

  private func read(_ continuation: Reader, _ wait: Wait) {
    if let result = takePart() {
      continuation.resume(with: result)
    } else if wait.isCancelled.load(ordering: .relaxed) {
      continuation.resume(throwing: CancellationError())
    } else if reader != nil {
      continuation.resume(
        throwing: RPCError(code: .internalError, message: "the request is read twice at once"))
    } else {
      reader = (continuation, wait)
      dataDelivered(now: connection.executor.loop.now)
    }
  }

  private func stopReading(_ wait: Wait) {
    guard let reader, reader.wait === wait else { return }
    self.reader = nil
    updateReceiveTime(now: connection.executor.loop.now)
    reader.continuation.resume(throwing: CancellationError())
  }

  /// Takes a part of the response, and returns once there is room for more.
  ///
  /// - Throws: `RPCError` for a part that cannot be sent, `CancellationError` if the call is over.
  func write(_ part: RPCResponsePart<MessageBytes>) async throws {
    if connection.executor.isSliceOver { await connection.executor.rest() }
    if connection.executor.isCurrent {
      try accept(part)
      if !isFull { return }
    } else {
      try await withCheckedThrowingContinuation { (continuation: Writer) in
        connection.executor.run { continuation.resume(with: Result { try self.accept(part) }) }
      }
    }
    try await waitForRoom()
  }

  /// Takes parts of the response one after the other, as ``write(_:)`` does.
  func write(contentsOf parts: some Sequence<RPCResponsePart<MessageBytes>>) async throws {
    for part in parts {
      if connection.executor.isSliceOver { await connection.executor.rest() }
      if connection.executor.isCurrent {
        try accept(part)
        if isFull { try await waitForRoom() }
      } else {
        try await write(part)
      }
    }
  }

  /// Whether a handler that writes has to wait.
  var isFull: Bool {
    let count = output.readableBytes
    guard !response.hasStatus, count > 0 else { return false }
    return count > configuration.writeBufferSize
      || (connection.memory.isSendingFull && count > Connection.smallResponse)
  }

  private func waitForRoom() async throws {
    let wait = Wait()
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: Writer) in
        connection.executor.run { self.waitForRoom(continuation, wait) }
      }
    } onCancel: {
      wait.isCancelled.store(true, ordering: .relaxed)
      connection.executor.run { self.stopWriting(wait) }
    }
  }

  private func waitForRoom(_ continuation: Writer, _ wait: Wait) {
    if isClosed || wait.isCancelled.load(ordering: .relaxed) {
      continuation.resume(throwing: CancellationError())
    } else if isFull {
      writers.append((continuation, wait))
      waitToSend()
    } else {
      continuation.resume()
    }
  }

  /// The call is full, and goes on when the client has taken some of its responses.
  func waitToSend() {
    if connection.memory.isSendingFull { connection.waitForRoom(self) }
    if sendBy == .distantFuture {
      sendBy = connection.executor.loop.now + TimeAmount(configuration.sendTimeout)
      noteWakeup()
    }
  }

  private func stopWriting(_ wait: Wait) {
    guard let index = writers.firstIndex(where: { $0.wait === wait }) else { return }
    writers.remove(at: index).continuation.resume(throwing: CancellationError())
  }

  func accept(_ part: RPCResponsePart<MessageBytes>) throws {
    guard !isClosed, !response.hasStatus else {
      // Headers that come too late are nobody's failure; the messages after them tell the handler.
      if case .metadata = part { return }
      throw CancellationError()
    }
    switch part {
    case .metadata(let metadata):
      if let problem = ReservedMetadata.problem(in: metadata) {
        throw RPCError(code: .internalError, message: problem)
      }
      if let name = metadata[stringValues: "grpc-encoding"].first(where: { _ in true }) {
        guard let chosen = MessageEncoding(rawValue: name) else {
          throw RPCError(code: .internalError, message: "there is no encoding '\(name)'")
        }
        encoding = head.acceptedEncodings.contains(chosen) ? chosen : .identity
      }
      response.metadata(metadata)
    case .message(let message):
      let before = output.readableBytes
      defer { connection.memory.unsent += output.readableBytes - before }
      try frame(message)
      expect(0)
      response.message()
    case .status(let status, let metadata):
      setStatus(status, metadata)
      returnWindow(heldWindow)
      receiveBy = .distantFuture
    }
    connection.submitLater(self)
  }

  /// Messages beyond this many bytes are not compressed: it would keep the event loop for too long.
  private static let largestCompressed = 1_024 * 1_024

  private func frame(_ message: MessageBytes) throws {
    if message.isFramed {
      return message.withUnsafeBytes { encoding == .identity ? append($0) : compressFrames($0) }
    }
    guard message.count <= configuration.maxSendMessageSize else {
      throw rpcError(Self.tooLarge(message.count, configuration))
    }
    message.withUnsafeBytes { bytes in
      if message.isCompressed, compress(bytes) { return }
      output.writeInteger(UInt8(0))
      output.writeInteger(UInt32(bytes.count))
      output.writeBytes(bytes)
    }
  }

  private func append(_ bytes: UnsafeRawBufferPointer) { output.writeBytes(bytes) }

  /// Appends messages that have their prefixes: those that are worth it compressed, the others as they are, as many as
  /// follow each other at once.
  private func compressFrames(_ frames: UnsafeRawBufferPointer) {
    let prefix = MessageDeframer.prefixLength
    var plain = 0
    var next = 0
    while next + prefix <= frames.count {
      let length = Int(UInt32(bigEndian: frames.loadUnaligned(fromByteOffset: next + 1, as: UInt32.self)))
      let end = min(next + prefix + length, frames.count)
      if length >= configuration.compressionMinSize {
        append(UnsafeRawBufferPointer(rebasing: frames[plain..<next]))
        plain = compress(UnsafeRawBufferPointer(rebasing: frames[next + prefix..<end])) ? end : next
      }
      next = end
    }
    append(UnsafeRawBufferPointer(rebasing: frames[plain...]))
  }

  /// Appends a message compressed, with its prefix, if it may be and that makes it smaller. Returns whether it did.
  private func compress(_ message: UnsafeRawBufferPointer) -> Bool {
    guard encoding != .identity, message.count >= configuration.compressionMinSize,
      message.count <= Self.largestCompressed
    else { return false }
    let start = output.writerIndex
    output.writeRepeatingByte(0, count: MessageDeframer.prefixLength)
    guard connection.executor.deflater.deflate(message, to: encoding, into: &output) else {
      output.moveWriterIndex(to: start)
      return false
    }
    let length = output.writerIndex - start - MessageDeframer.prefixLength
    output.setInteger(UInt8(1), at: start)
    output.setInteger(UInt32(length), at: start + 1)
    return true
  }

  /// The encoding that the response's headers name.
  var responseEncoding: MessageEncoding { encoding }
}
