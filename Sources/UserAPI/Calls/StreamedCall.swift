/// A call of a method with many requests, from its first message on: what each is answered with. Messages are serialized.
protocol StreamedCall: Sendable {
  /// Takes the next message. Returns the answer, if there is one to it alone.
  ///
  /// - Throws: what the call ends with.
  mutating func receive(_ message: [UInt8]) async throws -> [UInt8]?

  /// The client has sent all of its messages. Returns the answer to all of them, if there is one.
  ///
  /// - Throws: what the call ends with.
  mutating func requestEnded() async throws -> [UInt8]?
}

extension StreamedCall {
  /// Nothing is left to be said.
  mutating func requestEnded() async throws -> [UInt8]? { nil }
}
