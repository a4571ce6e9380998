import NIOCore

/// The times by which a call must make progress. `distantFuture` means never.
struct StreamTimes {
  /// The bytes that a client must read to restart the send time-out. A single byte must not: it would let a client
  /// keep a handler for ever.
  private static let progress = 16 * 1_024
  /// The bytes of a message's length that add a second to the receive time-out.
  private static let bytesPerSecond = 4_096

  /// The deadline of the call.
  var deadline = NIODeadline.distantFuture
  /// The time by which the awaited data must arrive.
  var receiveBy = NIODeadline.distantFuture
  /// The time by which the client must read queued output.
  private(set) var sendBy = NIODeadline.distantFuture
  /// When the wait for a message started, and how many had arrived.
  private var receiveSince: (start: NIODeadline, messages: Int)?
  private var sentSinceRenewal = 0

  /// The earliest of the times.
  var next: NIODeadline { min(deadline, min(receiveBy, sendBy)) }

  /// Clears the times of a call that has ended.
  mutating func clear() { (deadline, receiveBy, sendBy) = (.distantFuture, .distantFuture, .distantFuture) }

  /// Starts or extends the wait for the client after `messages` messages: for the `missing` bytes of a message. With
  /// `isWholeRequest`, the wait is for the whole request and is timed from its start.
  mutating func awaitRequest(
    messages: Int, missing: Int, isWholeRequest: Bool, timeout: TimeAmount, now: NIODeadline
  ) {
    if receiveSince?.messages != messages, !isWholeRequest { receiveSince = nil }
    let since = receiveSince ?? (now, messages)
    receiveSince = since
    let by = since.start + timeout + .seconds(Int64(missing / Self.bytesPerSecond))
    receiveBy = receiveBy == .distantFuture ? by : max(by, receiveBy)
  }

  /// Stops the wait for the client.
  mutating func stopAwaiting(isWholeRequest: Bool) {
    receiveBy = .distantFuture
    if !isWholeRequest { receiveSince = nil }
  }

  /// Starts the send time-out, unless it runs.
  mutating func awaitSending(timeout: TimeAmount, now: NIODeadline) {
    if sendBy == .distantFuture { sendBy = now + timeout }
  }

  /// Counts bytes that were sent.
  mutating func sent(_ count: Int) { sentSinceRenewal += count }

  /// Restarts the send time-out if the client has read enough, and stops it if nothing is left.
  mutating func renewSending(left: Int, timeout: TimeAmount, now: NIODeadline) {
    if left == 0 {
      sendBy = .distantFuture
    } else if sentSinceRenewal >= Self.progress {
      sentSinceRenewal = 0
      sendBy = now + timeout
    }
  }

  /// Stops the send time-out after it has passed.
  mutating func sendingEnded() { sendBy = .distantFuture }

  /// Whether the client has read next to nothing since `time`.
  func isStalled(since time: NIODeadline, timeout: TimeAmount) -> Bool {
    sendBy != .distantFuture && sendBy - timeout <= time
  }
}
