import GRPCCore

@testable import UserAPI

/// A call as a transport offers it to an inline method, and the method's response.
struct InlineTestCall: InlineUnaryCall, ~Copyable {
  typealias Later =
    @Sendable (_ cause: @escaping @Sendable () -> CancellationCause) async -> Result<[UInt8], RPCError>

  let message: UnsafeRawBufferPointer
  let metadata: Metadata
  let remotePeer: String
  private let authorization: [UInt8]?
  private(set) var given: [UInt8]?
  private(set) var later: Later?

  /// - Parameter token: the only token in the metadata, or nil.
  init(_ message: [UInt8], token: String? = nil, peer: String = "ipv4:192.0.2.1:7") {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: message.count, alignment: 1)
    copy.copyBytes(from: message)
    self.message = UnsafeRawBufferPointer(copy)
    authorization = token.map { Array("Bearer \($0)".utf8) }
    metadata = token.map { ["authorization": "Bearer \($0)"] } ?? [:]
    remotePeer = peer
  }

  deinit {
    message.deallocate()
  }

  func withOnlyValue<Result>(
    of name: StaticString, _ body: (UnsafeRawBufferPointer?) -> Result
  ) -> Result {
    precondition("\(name)" == "authorization")
    return authorization?.withUnsafeBytes { body($0) } ?? body(nil)
  }

  mutating func take(count: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) {
    precondition(!isAnswered, "a unary call has one response")
    given = [UInt8](count: count, write)
  }

  mutating func answerLater(_ answer: @escaping Later) {
    precondition(!isAnswered, "a unary call has one response")
    later = answer
  }

  /// Whether the method answers, now or later.
  var isAnswered: Bool { given != nil || later != nil }
}

extension UnaryMethod {
  /// Returns the response to a call with `message`; nil if it is left to its handler.
  func answer(
    _ message: [UInt8], token: String? = nil, cause: CancellationCause = .client
  ) async -> Result<[UInt8], RPCError>? {
    var call = InlineTestCall(message, token: token)
    answer(&call)
    if let given = call.given { return .success(given) }
    return await call.later?({ cause })
  }
}
