/// A call of a method with many requests, from its first message on. Messages are serialized.
protocol StreamedCall: Sendable {
  /// Takes the next message.
  ///
  /// - Throws: the error that ends the call.
  mutating func receive(_ message: [UInt8]) throws -> StreamedCallStep

  /// Whether ``work()`` is to be called when the client sends no more for the moment.
  var hasWaitingWork: Bool { get }

  /// Whether ``work()`` has more responses to return, or to wait for.
  var isUnderWay: Bool { get }

  /// Does the work for which ``receive(_:)`` returned ``StreamedCallStep/work``, or which waits. Returns responses.
  ///
  /// - Throws: the error that ends the call.
  mutating func work() async throws -> [[UInt8]]

  /// Handles the end of the client's messages. Returns responses.
  ///
  /// - Throws: the error that ends the call.
  mutating func requestEnded() async throws -> [[UInt8]]
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
  /// False: no message waits.
  var hasWaitingWork: Bool { false }

  /// False: no work is left.
  var isUnderWay: Bool { false }

  /// Returns no response: every message is handled when it is received.
  mutating func work() async throws -> [[UInt8]] { [] }

  /// Handles the next message to its end. Returns responses to this message, and to those before it.
  ///
  /// - Throws: the error that ends the call.
  mutating func handle(_ message: [UInt8]) async throws -> [[UInt8]] {
    var responses: [[UInt8]] = []
    switch try receive(message) {
    case .next: break
    case .send(let response): responses.append(response)
    case .work: responses = try await work()
    }
    while isUnderWay { responses += try await work() }
    return responses
  }

  /// Returns no response: every message has had its own.
  mutating func requestEnded() async throws -> [[UInt8]] { [] }
}
