/// A call of a method with many requests, from its first message on. Messages are serialized.
protocol StreamedCall: Sendable {
  /// Takes the next message.
  ///
  /// - Throws: the error that ends the call.
  mutating func receive(_ message: [UInt8]) throws -> StreamedCallStep

  /// Does the work for which ``receive(_:)`` returned ``StreamedCallStep/work``. Returns a response, or nil.
  ///
  /// - Throws: the error that ends the call.
  mutating func work() async throws -> [UInt8]?

  /// Handles the end of the client's messages. Returns a response to all of them, or nil.
  ///
  /// - Throws: the error that ends the call.
  mutating func requestEnded() async throws -> [UInt8]?
}

/// What a ``StreamedCall`` needs after a message.
enum StreamedCallStep {
  /// The next message.
  case next
  /// To send the response to the message.
  case send([UInt8])
  /// A call of ``StreamedCall/work()`` before the next message.
  case work
}

extension StreamedCall {
  /// Returns nil: every message is handled when it is received.
  mutating func work() async throws -> [UInt8]? { nil }

  /// Handles the next message to its end. Returns a response to this message, or nil.
  ///
  /// - Throws: the error that ends the call.
  mutating func handle(_ message: [UInt8]) async throws -> [UInt8]? {
    switch try receive(message) {
    case .next: nil
    case .send(let response): response
    case .work: try await work()
    }
  }

  /// Returns nil: every message has had its response.
  mutating func requestEnded() async throws -> [UInt8]? { nil }
}
