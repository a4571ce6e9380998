import GRPCNghttp2Transport

extension SettingSection {
  /// The transport's settings: grpc-go's names in lower case, with dots between the words.
  static let transport = SettingSection(
    title: "Transport",
    introduction: """
      Examples: `USER_SERVICE_GRPC_MAX_CONNECTION_AGE=1h`, or `{"grpc": {"max": {"connection": {"age": "1h"}}}}` in
      the file. They have no flags.
      """,
    settings: messages + connections + memory + timeouts + keepalive + answers,
    remarks: nil)

  private static let messages = [
    Setting(
      "grpc.max.recv.msg.size", \.transport.maxReceiveMessageSize, .whole(1...1_073_741_824),
      "Accept request messages of at most this many bytes, inflated.",
      note: "The limits of single methods are lower ([limits](operations.md#limits))."),
    Setting(
      "grpc.max.send.msg.size", \.transport.maxSendMessageSize, .whole(1...2_147_483_647),
      "Send response messages of at most this many bytes."),
    Setting(
      "grpc.max.header.list.size", \.transport.maxHeaderListSize, .whole(1_024...1_048_576),
      "Accept at most this many bytes of header fields in a request.",
      note: "Each field counts as its name, its value and 32 bytes."),
    Setting(
      "grpc.max.concurrent.streams", \.transport.maxConcurrentStreams, .whole(1...100_000),
      "Accept at most this many calls at once on a connection."),
  ]

  private static let connections = [
    Setting(
      "grpc.max.connections", \.transport.maxConnections, .whole(1...1_000_000),
      "Accept at most this many connections at once.",
      note: "Lowered at start-up to the number that the descriptor limit permits, which is logged."),
    Setting(
      "grpc.max.network.connections", \.transport.networkShare, .networkShare,
      "Accept at most this many connections from one network at once.",
      note: """
        A number includes connections from this machine. `auto` is a quarter of `grpc.max.connections`, and excludes \
        loopback and Unix sockets.
        """),
  ]

  private static let memory = [
    Setting(
      "grpc.max.connection.memory", \.transport.maxConnectionMemory, .whole(65_536...1_073_741_824),
      "Let the calls of a connection hold at most this many bytes.",
      note: """
        Header fields, 8 KiB a running handler, 1 KiB a stream of requests and 20 KiB while one of its messages is \
        handled, messages in handlers (inflated) and incomplete messages, which may use three quarters of it. Never \
        less than four of the largest request messages.
        """),
    Setting(
      "grpc.max.memory", \.transport.maxMemory, .whole(1_048_576...1_099_511_627_776),
      "Let the calls of all connections hold at most this many bytes, including queued input and output.",
      note: "Each connection may hold another 32 KiB."),
    Setting(
      "grpc.initial.window.size", \.transport.initialWindowSize, .whole(1...1_073_741_824),
      "Let a client send at most this many bytes ahead of one handler.",
      note: "This flow-control window is replenished as the handler reads."),
    Setting(
      "grpc.initial.conn.window.size", \.transport.initialConnectionWindowSize,
      .whole(65_535...1_073_741_824),
      "Let a client send at most this many bytes ahead of all handlers of a connection.",
      note: "This flow-control window is replenished as the handlers read."),
  ]

  private static let timeouts = [
    Setting(
      "grpc.connection.timeout", \.transport.connectionTimeout, .duration(shortest ... .longest),
      "Close a connection whose TLS handshake, or whose preface and SETTINGS, take longer than this."),
    Setting(
      "grpc.receive.timeout", \.transport.receiveTimeout, .duration(shortest ... .longest),
      "Wait at most this long for the rest of a frame, a header block, a message or a unary request.",
      note: """
        A slower frame or header block ends its connection; a slower message or request ends its call. Each 4 KiB of \
        a message's length adds a second.
        """),
    Setting(
      "grpc.send.timeout", \.transport.sendTimeout, .duration(shortest ... .longest),
      "Reset a call whose response waits longer than this for a client that does not read."),
  ]

  private static let keepalive = [
    Setting(
      "grpc.keepalive.time", \.transport.keepalive.time, .duration(shortest ... .longest),
      "Ping a client that has sent nothing for this long."),
    Setting(
      "grpc.keepalive.timeout", \.transport.keepalive.timeout, .duration(shortest ... .longest),
      "Close a connection whose client does not answer a ping within this time."),
    Setting(
      "grpc.keepalive.min.time", \.transport.enforcementPolicy.minTime, .duration(.zero ... .longest),
      "Close a connection whose client pings more often than this."),
    Setting(
      "grpc.max.connection.idle", \.transport.keepalive.maxConnectionIdle,
      .orNone(.duration(shortest ... .longest)),
      "End a connection that has had no calls for this long, with GOAWAY."),
    Setting(
      "grpc.max.connection.age", \.transport.keepalive.maxConnectionAge,
      .orNone(.duration(shortest ... .longest)),
      "End a connection that has reached this age, with GOAWAY.", note: "The age varies by up to 10 %."),
    Setting(
      "grpc.max.connection.grace", \.transport.keepalive.maxConnectionAgeGrace,
      .orNone(.duration(shortest ... .longest)),
      "Let calls finish for this long on a connection that has reached its maximum age."),
  ]

  private static let answers = [
    Setting(
      "grpc.inline", \.transport.answersInline, .truth,
      "Answer calls on the event loop, without a handler, where that is possible.",
      note: """
        Responses are identical; only the use of processor and memory differs. \
        [The two roads](architecture.md#the-two-roads-of-a-call) says which calls.
        """),
    Setting(
      "grpc.compression", \.transport.compression, .choice,
      "Compress responses in this way for clients that accept it."),
    Setting(
      "grpc.compression.min.size", \.transport.compressionMinSize, .whole(0...1_073_741_824),
      "Compress only responses of at least this many bytes.",
      note: "A response is compressed only if that makes it smaller."),
  ]

  /// The shortest time-out.
  private static let shortest: Duration = .milliseconds(1)
}
