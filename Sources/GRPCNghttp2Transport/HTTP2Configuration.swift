public import GRPCCore

/// Limits and time-outs of the transport. Names follow grpc-go where it has an equivalent
/// (pkg.go.dev/google.golang.org/grpc, `ServerOption` and `keepalive`). The defaults suit a server that is exposed to
/// untrusted clients.
public struct HTTP2Configuration: Sendable {
  /// The most concurrent streams of a connection, announced in SETTINGS. More are refused with REFUSED_STREAM. A
  /// stream counts until its handler has ended.
  public var maxConcurrentStreams = 100
  /// The largest header list in bytes, where each field counts as its name, its value and 32 (RFC 9113 §6.5.2). A
  /// larger one is answered with RESOURCE_EXHAUSTED; one of 16 times the limit ends its connection.
  public var maxHeaderListSize = 8 * 1_024
  /// The flow-control window of a stream, in bytes, which a client may send ahead of the handler.
  public var initialWindowSize = 64 * 1_024
  /// The flow-control window of a connection, in bytes, which a client may send ahead of all handlers together. It is
  /// replenished as they read (RFC 9113 §5.2). The default is several times ``initialWindowSize``, so that one
  /// stalled handler leaves room for the others.
  public var initialConnectionWindowSize = 512 * 1_024
  /// The largest frame that the client may send, in bytes: 16,384 to 16,777,215 (RFC 9113 §4.2).
  public var maxFrameSize = 16_384
  /// The largest request message, in inflated bytes. Larger ones are answered with RESOURCE_EXHAUSTED.
  public var maxReceiveMessageSize = 4 * 1_024 * 1_024
  /// The largest response message, in bytes. A larger one fails its call with RESOURCE_EXHAUSTED. Messages of
  /// ``MessageBytes/init(frames:)`` are not checked.
  public var maxSendMessageSize = Int(Int32.max)
  /// The bytes that the calls of a connection may hold: header fields, 8 KiB a running handler, inflated messages in
  /// handlers, and the received parts of awaited messages. Data within the connection's flow-control window is not
  /// counted. A call that exceeds the limit ends with RESOURCE_EXHAUSTED.
  ///
  /// A call whose messages an inline method takes counts 1 KiB, and 20 KiB while a task processes a message. Such
  /// tasks wait for each other.
  ///
  /// The effective limit is at least four of the largest request messages.
  public var maxConnectionMemory = 1_024 * 1_024
  /// The bytes that the calls of all connections may hold, including queued input and output. Above the limit, calls
  /// on connections that hold more than 32 KiB end with RESOURCE_EXHAUSTED.
  public var maxMemory = 256 * 1_024 * 1_024
  /// The bytes of queued output at which the handler of a stream is suspended; it resumes at half of them.
  public var writeBufferSize = 64 * 1_024
  /// The bytes of queued output at which handlers of a connection are suspended if they write more than 4 KiB or ask
  /// for another message. Calls of server-streaming methods do not start above it.
  public var connectionWriteBufferSize = 256 * 1_024
  /// The compression of responses for clients that accept it. A handler can choose another one for its call with the
  /// metadata `grpc-encoding`.
  public var compression: MessageEncoding = .identity
  /// The smallest response message that is compressed, in bytes. A message is sent compressed only if that makes it
  /// smaller, and if it has at most 1 MiB: compressing that much takes tens of milliseconds of the event loop.
  public var compressionMinSize = 1_024
  /// The pings of the server.
  public var keepalive = Keepalive()
  /// The limits for pings of clients.
  public var enforcementPolicy = EnforcementPolicy()
  /// The most open connections. One more replaces the connection that has been idle for longest, or is refused if
  /// every connection has calls.
  public var maxConnections = 10_000
  /// The most connections from one network: an IPv4 address, the /64 of an IPv6 address, or all Unix-domain sockets
  /// together. One more replaces a connection of the same network.
  public var networkShare = NetworkShare.automatic
  /// The permissions of Unix-domain sockets, nine bits; connecting requires write permission (unix(7)).
  public var unixSocketMode: UInt32 = 0o600
  /// The time-out of the TLS handshake, and then of the preface and first SETTINGS.
  public var connectionTimeout: Duration = .seconds(20)
  /// How long the server waits for the rest of a header block, of a message, or of a request that is not
  /// client-streaming. Each 4 KiB of a message's length adds a second. An overdue frame or header block ends its
  /// connection; anything else ends its call with DEADLINE_EXCEEDED.
  public var receiveTimeout: Duration = .seconds(60)
  /// How long a response may wait for a client that does not read, before its stream is reset with CANCEL. A client
  /// that reads nothing from its socket for as long loses its connection.
  public var sendTimeout: Duration = .seconds(300)
  /// Whether inline methods are used; otherwise every call goes to its handler.
  public var answersInline = true
  /// Returns the metadata for the status of a call that the transport itself ends, such as `grpc-status-details-bin`.
  /// Called on event loops; empty by default.
  public var faultDetails: @Sendable (CallFault) -> Metadata = { _ in [:] }
  /// The limits for frames that request nothing.
  public var floodLimits = FloodLimits()

  /// Creates the default configuration.
  public init() {}

  /// The pings with which the server detects half-open connections, and the limits of a connection's age (gRFC A9).
  /// Nil disables a limit.
  public struct Keepalive: Sendable {
    /// The silence after which the server pings.
    public var time: Duration = .seconds(7_200)
    /// The time without an answer to the ping after which the connection is closed.
    public var timeout: Duration = .seconds(20)
    /// The time without calls after which a connection is ended with GOAWAY.
    public var maxConnectionIdle: Duration?
    /// The age, varied by 10 %, at which a connection is ended with GOAWAY.
    public var maxConnectionAge: Duration?
    /// How long calls may continue after ``maxConnectionAge``; nil for no limit.
    public var maxConnectionAgeGrace: Duration?
  }

  /// The share of the connections that one network may have.
  public enum NetworkShare: Hashable, Sendable {
    /// A quarter of all, at least one. Connections from this machine are not limited, because a proxy on it serves
    /// many clients.
    case automatic
    /// This many, which also limits connections from this machine.
    case connections(Int)
    /// No limit for a network.
    case unlimited
  }

  /// How often a client may ping (gRFC A8). Two early pings are tolerated, and again after each HEADERS or DATA frame
  /// sent to the client. A further one ends the connection with GOAWAY "too_many_pings".
  public struct EnforcementPolicy: Sendable {
    /// The shortest interval between pings.
    public var minTime: Duration = .seconds(10)
    /// Whether a client may ping without calls; otherwise the interval is 2 hours.
    public var permitWithoutStream = true
  }

  /// Budgets of frames: `burst` at once and `rate` more a second. Exceeding one ends the connection with GOAWAY.
  public struct FloodLimits: Sendable {
    /// RST_STREAM frames received before a response has ended (CVE-2023-44487). Legitimate clients also send them
    /// when calls are cancelled.
    public var resets = (burst: 1_000, rate: 33)
    /// RST_STREAM frames that a client provokes from the server (CVE-2025-8671).
    public var provokedResets = (burst: 1_000, rate: 33)
    /// PRIORITY, SETTINGS, unknown and acknowledgement frames, empty DATA frames, and RST_STREAM frames on closed
    /// streams.
    public var idleFrames = (burst: 1_000, rate: 100)
    /// WINDOW_UPDATE frames for each HEADERS or DATA frame sent, beyond a burst of 1,000.
    public var windowUpdatesPerFrameSent = 10
    /// CONTINUATION frames of a header block (CVE-2024-27316).
    public var continuations = 8
    /// The most queued acknowledgements of PING and SETTINGS.
    public var outboundAcknowledgements = 1_000
    /// The most settings in a SETTINGS frame.
    public var settings = 32
  }
}

extension HTTP2Configuration {
  var connectionLimits: ConnectionLimits {
    switch networkShare {
    case .automatic: .init(total: maxConnections, network: max(maxConnections / 4, 1), countsLocal: false)
    case .connections(let count): .init(total: maxConnections, network: count, countsLocal: true)
    case .unlimited: .init(total: maxConnections, network: nil, countsLocal: true)
    }
  }

  /// Returns the descriptors that `connections` connections may need at once. A replaced connection keeps its
  /// descriptor until its client has seen the end.
  public static func descriptors(forConnections connections: Int) -> Int {
    connections + ConnectionLimits.leaving(total: connections)
  }
}
