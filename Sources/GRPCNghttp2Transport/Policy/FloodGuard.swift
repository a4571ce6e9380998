import NIOCore

/// Counts the frames of a connection that cost the server something and ask for nothing, where nghttp2 has no
/// limit of its own. Its limits on RST_STREAM, CONTINUATION, acknowledgements and settings are set in
/// ``HTTP2Session``.
struct FloodGuard {
  /// What a peer did too often.
  enum Flood: String {
    case idleFrames = "too many frames that ask for nothing"
    case provokedResets = "too many streams had to be reset"
    case windowUpdates = "too many WINDOW_UPDATE frames"
  }

  private static let windowUpdateBurst = 1_000

  private var idleFrames: TokenBucket
  private var provokedResets: TokenBucket
  private let windowUpdatesPerFrameSent: Int
  private var windowUpdatesLeft = windowUpdateBurst

  init(_ limits: Nghttp2ServerTransport.Configuration.FloodLimits, now: NIODeadline) {
    idleFrames = TokenBucket(limits.idleFrames, now: now)
    provokedResets = TokenBucket(limits.provokedResets, now: now)
    windowUpdatesPerFrameSent = limits.windowUpdatesPerFrameSent
  }

  /// A PRIORITY, SETTINGS or unknown frame, a PING acknowledgement, or a DATA frame without data or end.
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
