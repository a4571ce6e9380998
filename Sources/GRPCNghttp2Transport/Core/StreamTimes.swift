import NIOCore

/// When a call has to have got on. `distantFuture` is never.
struct StreamTimes {
  /// Bytes that a client has to read for the send time-out to begin anew: a byte now and then would keep a handler for ever.
  private static let progress = 16 * 1_024
  /// Bytes of a message's length that add a second to the receive time-out.
  private static let bytesPerSecond = 4_096

  /// When the call must have ended.
  var deadline = NIODeadline.distantFuture
  /// When what the server waits for must have arrived.
  var receiveBy = NIODeadline.distantFuture
  /// When what waits to be sent must have got on.
  private(set) var sendBy = NIODeadline.distantFuture
  /// When the wait for a message began, and how many had come.
  private var receiveSince: (start: NIODeadline, messages: Int)?
  private var sentSinceRenewal = 0

  /// The earliest of them.
  var next: NIODeadline { min(deadline, min(receiveBy, sendBy)) }

  /// The call is over.
  mutating func clear() { (deadline, receiveBy, sendBy) = (.distantFuture, .distantFuture, .distantFuture) }

  /// The client is waited for: after `messages` messages, for the `missing` bytes of one that has begun, or of a whole
  /// request if `isWholeRequest`, of which time is counted from its beginning.
  mutating func awaitRequest(
    messages: Int, missing: Int, isWholeRequest: Bool, timeout: TimeAmount, now: NIODeadline
  ) {
    if receiveSince?.messages != messages, !isWholeRequest { receiveSince = nil }
    let since = receiveSince ?? (now, messages)
    receiveSince = since
    let by = since.start + timeout + .seconds(Int64(missing / Self.bytesPerSecond))
    receiveBy = receiveBy == .distantFuture ? by : max(by, receiveBy)
  }

  /// The client is not waited for.
  mutating func stopAwaiting(isWholeRequest: Bool) {
    receiveBy = .distantFuture
    if !isWholeRequest { receiveSince = nil }
  }

  /// Something waits for the client to read.
  mutating func awaitSending(timeout: TimeAmount, now: NIODeadline) {
    if sendBy == .distantFuture { sendBy = now + timeout }
  }

  /// The client has read `count` bytes, with `left` more to read.
  mutating func sent(_ count: Int) { sentSinceRenewal += count }

  /// Counts anew if the client has read enough, or all.
  mutating func renewSending(left: Int, timeout: TimeAmount, now: NIODeadline) {
    if left == 0 {
      sendBy = .distantFuture
    } else if sentSinceRenewal >= Self.progress {
      sentSinceRenewal = 0
      sendBy = now + timeout
    }
  }

  /// The send time-out is over.
  mutating func sendingEnded() { sendBy = .distantFuture }

  /// Whether the client has read next to nothing since `time`.
  func isStalled(since time: NIODeadline, timeout: TimeAmount) -> Bool {
    sendBy != .distantFuture && sendBy - timeout <= time
  }
}
