import NIOCore

/// Limits frames that cost the server work but request nothing, where nghttp2 has no suitable limit. nghttp2's limits
/// on CONTINUATION, acknowledgements and settings are set in ``HTTP2Session``. Its limit on RST_STREAM also counts
/// legitimate frames, and is replaced by the one here.
struct FloodGuard {
  /// The limit that was exceeded.
  enum Flood: String {
    case resets = "too many streams were reset before their responses ended"
    case idleFrames = "too many frames without a request"
    case provokedResets = "too many streams had to be reset"
    case windowUpdates = "too many WINDOW_UPDATE frames"
  }

  private static let windowUpdateBurst = 1_000
  /// A client that streams in both directions adds to its DATA frames, each a message, WINDOW_UPDATEs for its stream and
  /// for the connection.
  private static let windowUpdatesPerDataFrame = 2

  private var resets: TokenBucket
  private var idleFrames: TokenBucket
  private var provokedResets: TokenBucket
  private let windowUpdatesPerFrameSent: Int
  private var windowUpdatesLeft = windowUpdateBurst

  init(_ limits: HTTP2Configuration.FloodLimits, now: NIODeadline) {
    resets = TokenBucket(limits.resets, now: now)
    idleFrames = TokenBucket(limits.idleFrames, now: now)
    provokedResets = TokenBucket(limits.provokedResets, now: now)
    windowUpdatesPerFrameSent = limits.windowUpdatesPerFrameSent
  }

  /// Counts RST_STREAM on a stream whose response has not ended (CVE-2023-44487).
  mutating func resetReceived(now: NIODeadline) -> Flood? {
    resets.take(now: now) ? nil : .resets
  }

  /// Counts a PRIORITY, SETTINGS or unknown frame, a PING acknowledgement, a DATA frame without data or end, or
  /// RST_STREAM on a closed stream.
  mutating func idleFrameReceived(now: NIODeadline) -> Flood? {
    idleFrames.take(now: now) ? nil : .idleFrames
  }

  /// Counts RST_STREAM that the server had to send with an error.
  mutating func resetSent(now: NIODeadline) -> Flood? {
    provokedResets.take(now: now) ? nil : .provokedResets
  }

  mutating func windowUpdateReceived() -> Flood? {
    windowUpdatesLeft -= 1
    return windowUpdatesLeft < 0 ? .windowUpdates : nil
  }

  /// Adds the WINDOW_UPDATE frames that a sent HEADERS or DATA frame permits. They add up to at most the burst, so
  /// that a long listing does not permit a flood.
  mutating func responseSent() { permitWindowUpdates(windowUpdatesPerFrameSent) }

  /// Adds the WINDOW_UPDATE frames that a received DATA frame with data permits, up to the burst, too: many small
  /// responses share a frame, and the client may report each of them as consumed.
  mutating func dataReceived() { permitWindowUpdates(Self.windowUpdatesPerDataFrame) }

  private mutating func permitWindowUpdates(_ count: Int) {
    windowUpdatesLeft = min(max(Self.windowUpdateBurst, windowUpdatesLeft), windowUpdatesLeft + count)
  }
}
