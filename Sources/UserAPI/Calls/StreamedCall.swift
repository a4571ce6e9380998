/// A call of a method with many requests, from its first message on. Messages are serialized.
protocol StreamedCall: Sendable {
  /// Handles the next message. Returns a response to this message, or nil.
  ///
  /// - Throws: the error that ends the call.
  mutating func receive(_ message: [UInt8]) async throws -> [UInt8]?

  /// Handles the end of the client's messages. Returns a response to all of them, or nil.
  ///
  /// - Throws: the error that ends the call.
  mutating func requestEnded() async throws -> [UInt8]?
}

extension StreamedCall {
  /// Returns nil: every message has had its response.
  mutating func requestEnded() async throws -> [UInt8]? { nil }
}
