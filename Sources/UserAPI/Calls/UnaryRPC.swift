/// A unary RPC, written once: how its request is decoded and answered. ``UnaryMethod`` does the rest.
public protocol UnaryRPC: Sendable {
  associatedtype Request
  /// What remains to be done where a request cannot be answered at once.
  associatedtype Work: Sendable = Never

  /// Decodes the request's message.
  ///
  /// - Throws: the error that ends the call.
  func decode(_ message: UnsafeRawBufferPointer) throws -> Request

  /// Answers `request`: gives the response's message to `response`, once, or returns the work that remains. An event loop
  /// may call it, so it must take microseconds.
  ///
  /// - Throws: the error that ends the call; never after writing a response.
  func answer<Response: UnaryResponse & ~Copyable>(
    _ request: Request, for caller: Caller, to response: inout Response
  ) throws -> UnaryAnswer<Work>

  /// Does the work that remains, which may wait, and returns the response's message.
  ///
  /// - Throws: what the call fails with.
  func finish(_ work: Work) async throws -> [UInt8]
}

extension UnaryRPC where Work == Never {
  /// Nothing remains.
  public func finish(_ work: Never) async throws -> [UInt8] {}
}

/// The outcome of ``UnaryRPC/answer(_:for:to:)``.
public enum UnaryAnswer<Work> {
  /// The response is written.
  case given
  /// The response is made by ``UnaryRPC/finish(_:)``.
  case later(Work)
}

/// Takes the response of a unary call.
public protocol UnaryResponse: ~Copyable {
  /// Takes a message of `count` bytes, all of which `write` writes. Called once.
  mutating func take(count: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void)
}

extension [UInt8] {
  /// Creates an array of `count` bytes, all of which `write` writes.
  init(count: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) {
    self.init(unsafeUninitializedCapacity: count) { buffer, initialized in
      write(UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]))
      initialized = count
    }
  }
}
