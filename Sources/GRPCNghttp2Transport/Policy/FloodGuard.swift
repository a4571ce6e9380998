import NIOCore

/// Counts the frames of a connection that cost the server something and ask for nothing, where nghttp2 has no
/// limit of its own. Its limits on CONTINUATION, acknowledgements and settings are set in ``HTTP2Session``; its
/// limit on RST_STREAM counts honest ones too, and is replaced by the one here.
struct FloodGuard {
  /// What a peer did too often.
  enum Flood: String {
    case resets = "too many streams were reset before their responses had ended"
    case idleFrames = "too many frames that ask for nothing"
    case provokedResets = "too many streams had to be reset"
    case windowUpdates = "too many WINDOW_UPDATE frames"
  }

  private static let windowUpdateBurst = 1_000

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

  /// RST_STREAM on a stream whose response has not ended (CVE-2023-44487).
  mutating func resetReceived(now: NIODeadline) -> Flood? {
    resets.take(now: now) ? nil : .resets
  }

  /// A PRIORITY, SETTINGS or unknown frame, a PING acknowledgement, a DATA frame without data or end, or
  /// RST_STREAM on a stream that both sides have ended.
  mutating func idleFrameReceived(now: NIODeadline) -> Flood? {
    idleFrames.take(now: now) ? nil : .idleFrames
  }

  /// The server had to send RST_STREAM with an error.
  mutating func resetSent(now: NIODeadline) -> Flood? {
    provokedResets.take(now: now) ? nil : .provokedResets
  }

  mutating func windowUpdateReceived() -> Flood? {
    windowUpdatesLeft -= 1
    return windowUpdatesLeft < 0 ? .windowUpdates : nil
  }

  /// Each HEADERS or DATA frame that the server sends earns the client WINDOW_UPDATE frames; those earned add
  /// up to the burst, so that a long listing does not earn a flood.
  mutating func responseSent() {
    windowUpdatesLeft = min(
      max(Self.windowUpdateBurst, windowUpdatesLeft), windowUpdatesLeft + windowUpdatesPerFrameSent)
  }
}
