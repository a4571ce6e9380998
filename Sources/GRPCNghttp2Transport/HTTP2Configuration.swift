public import GRPCCore

/// Limits and time-outs of the transport, under grpc-go's names where it has one
/// (pkg.go.dev/google.golang.org/grpc, `ServerOption` and `keepalive`). The defaults suit a server that
/// strangers can reach.
public struct HTTP2Configuration: Sendable {
  /// Streams that a connection may have open at once, as SETTINGS announce; more are refused with
  /// REFUSED_STREAM. A stream counts until its handler has ended.
  public var maxConcurrentStreams = 100
  /// Bytes of a header block, each field counted as its name, its value and 32 (RFC 9113 §6.5.2). A larger
  /// block is answered with RESOURCE_EXHAUSTED; one that decodes to 16 times as much ends its connection.
  public var maxHeaderListSize = 8 * 1_024
  /// Flow-control window of a stream, in bytes: what a client may send ahead of the handler.
  public var initialWindowSize = 64 * 1_024
  /// Flow-control window of a connection, in bytes: what its client may send ahead of all handlers together. It
  /// is given back as they read (RFC 9113 §5.2). Several times ``initialWindowSize``, so that one handler that
  /// does not read leaves room for the others.
  public var initialConnectionWindowSize = 512 * 1_024
  /// Bytes of the largest frame that the peer may send, 16,384 to 16,777,215 (RFC 9113 §4.2).
  public var maxFrameSize = 16_384
  /// Bytes of the largest request message, inflated; larger ones are answered with RESOURCE_EXHAUSTED.
  public var maxReceiveMessageSize = 4 * 1_024 * 1_024
  /// Bytes of the largest response message; a larger one fails its call with RESOURCE_EXHAUSTED.
  public var maxSendMessageSize = Int(Int32.max)
  /// Bytes that the calls of a connection may hold: their headers, 8 KiB for each handler that runs, the
  /// message that a handler has in hand, inflated, and what has come of a message that it waits for. The call
  /// that exceeds them ends with RESOURCE_EXHAUSTED. What the connection's window covers is not counted.
  ///
  /// A call whose messages an inline method takes counts 1 KiB, and 20 KiB while a task works on one. Such tasks wait for
  /// each other.
  ///
  /// No less than four of the largest messages of a request are permitted, whatever is set.
  public var maxConnectionMemory = 1_024 * 1_024
  /// Bytes that the calls of all connections may hold, with what waits to be read and to be sent. Beyond them,
  /// calls on connections that hold more than 32 KiB end with RESOURCE_EXHAUSTED.
  public var maxMemory = 256 * 1_024 * 1_024
  /// Bytes of responses that a stream holds before its handler is suspended; it goes on at half of them.
  public var writeBufferSize = 64 * 1_024
  /// Bytes of responses that a connection holds before its handlers are suspended that write more than 4 KiB, or
  /// ask for another message, and before calls of server-streaming methods begin.
  public var connectionWriteBufferSize = 256 * 1_024
  /// How responses are compressed, for clients that accept it. A handler chooses otherwise for its call
  /// with the metadata `grpc-encoding`.
  public var compression: MessageEncoding = .identity
  /// Bytes of the smallest response message that is compressed. Larger ones are sent compressed if that makes
  /// them smaller, and if they have no more than 1 MiB, which takes tens of milliseconds of the event loop.
  public var compressionMinSize = 1_024
  /// Pings that the server sends.
  public var keepalive = Keepalive()
  /// Pings that a client may send.
  public var enforcementPolicy = EnforcementPolicy()
  /// Connections that may be open at once. One more takes the place of the connection that has been without calls for
  /// longest, or is closed as it comes if every connection has calls.
  public var maxConnections = 10_000
  /// How many of the connections one network may have: an IPv4 address, the /64 of an IPv6 address, or all Unix-domain
  /// sockets together. One more takes the place of that network's own.
  public var networkShare = NetworkShare.automatic
  /// Permissions of Unix-domain sockets, nine bits; connecting needs the permission to write (unix(7)).
  public var unixSocketMode: UInt32 = 0o600
  /// How long a connection may take for its TLS handshake, and then for its preface and its first SETTINGS.
  public var connectionTimeout: Duration = .seconds(20)
  /// How long a header block, a message that has begun, or the request of a call that is not
  /// client-streaming may stay incomplete while the server waits for it; 4 KiB of a message's length add a
  /// second each. A frame or a header block ends its connection, anything else its call with
  /// DEADLINE_EXCEEDED.
  public var receiveTimeout: Duration = .seconds(60)
  /// How long a response may wait for a client that does not read; its stream is then reset with CANCEL. A client
  /// that takes nothing from its socket for as long loses its connection.
  public var sendTimeout: Duration = .seconds(300)
  /// Whether the transport's inline methods are asked; if not, every call goes to its handler.
  public var answersInline = true
  /// The metadata of the status with which the transport itself ends a call, such as
  /// `grpc-status-details-bin`. Called on event loops; none by default.
  public var faultDetails: @Sendable (CallFault) -> Metadata = { _ in [:] }
  /// How many frames that ask for nothing a client may send.
  public var floodLimits = FloodLimits()

  /// The defaults.
  public init() {}

  /// Pings that the server sends to find half-open connections, and when it ends connections of its own
  /// accord (gRFC A9). A time of nil is none.
  public struct Keepalive: Sendable {
    /// How long nothing arrives before the server pings.
    public var time: Duration = .seconds(7_200)
    /// How long the ping's answer may take before the connection is closed.
    public var timeout: Duration = .seconds(20)
    /// How long a connection may have no calls before it is ended with GOAWAY.
    public var maxConnectionIdle: Duration?
    /// How long a connection may live, give or take 10 %, before it is ended with GOAWAY.
    public var maxConnectionAge: Duration?
    /// How long calls may go on after ``maxConnectionAge``; nil is without end.
    public var maxConnectionAgeGrace: Duration?
  }

  /// The part of the connections that one network may have.
  public enum NetworkShare: Hashable, Sendable {
    /// A quarter of all, at least one; as many as there may be from this machine itself, where a proxy stands for
    /// many clients.
    case automatic
    /// So many, from this machine too.
    case connections(Int)
    /// As many as there may be.
    case unlimited
  }

  /// How often a client may ping (gRFC A8). One that pings more often is forgiven twice, and anew whenever
  /// it is sent headers or data; then its connection ends with GOAWAY "too_many_pings".
  public struct EnforcementPolicy: Sendable {
    /// The least time between two pings.
    public var minTime: Duration = .seconds(10)
    /// Whether a client may ping without calls; the least time is 2 hours if not.
    public var permitWithoutStream = true
  }

  /// Budgets whose end ends the connection with GOAWAY: `burst` at once, and `rate` more a second.
  public struct FloodLimits: Sendable {
    /// RST_STREAM frames that the client sends before a response has ended (CVE-2023-44487). Honest clients
    /// spend it when calls are cancelled.
    public var resets = (burst: 1_000, rate: 33)
    /// RST_STREAM frames that the client makes the server send (CVE-2025-8671).
    public var provokedResets = (burst: 1_000, rate: 33)
    /// PRIORITY, SETTINGS and unknown frames and acknowledgements, DATA frames without data, and RST_STREAM
    /// frames on streams that both sides have ended.
    public var idleFrames = (burst: 1_000, rate: 100)
    /// WINDOW_UPDATE frames for each HEADERS or DATA frame sent, beyond a burst of 1,000.
    public var windowUpdatesPerFrameSent = 10
    /// CONTINUATION frames of a header block (CVE-2024-27316).
    public var continuations = 8
    /// Acknowledgements of PING and SETTINGS that may wait to be sent.
    public var outboundAcknowledgements = 1_000
    /// Settings in a SETTINGS frame.
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

  /// Descriptors that the sockets of `connections` connections may need at once: those that are ended to make room stay
  /// open until their clients have seen it.
  public static func descriptors(forConnections connections: Int) -> Int {
    connections + ConnectionLimits.leaving(total: connections)
  }
}
