import GRPCNghttp2Transport
import Testing

@testable import UserServiceApp

@Suite struct TransportConfigurationTests {
  @Test("each setting of the transport sets the property of its name")
  func values() throws {
    let transport = try ServiceConfiguration(
      flags: [
        "grpc.max.recv.msg.size": "11", "grpc.max.send.msg.size": "12", "grpc.max.header.list.size": "2000",
        "grpc.max.concurrent.streams": "14", "grpc.max.connections": "15",
        "grpc.max.network.connections": "16",
        "grpc.max.connection.memory": "70000", "grpc.max.memory": "2000000", "grpc.initial.window.size": "19",
        "grpc.initial.conn.window.size": "70001", "grpc.connection.timeout": "21s",
        "grpc.receive.timeout": "22s",
        "grpc.send.timeout": "23s", "grpc.keepalive.time": "24s", "grpc.keepalive.timeout": "25s",
        "grpc.keepalive.min.time": "26s", "grpc.max.connection.idle": "27s", "grpc.max.connection.age": "28s",
        "grpc.max.connection.grace": "29s", "grpc.inline": "false", "grpc.compression": "gzip",
        "grpc.compression.min.size": "32", "unix.socket.mode": "0660",
      ], file: nil, environment: [:]
    ).transport
    #expect(transport.maxReceiveMessageSize == 11 && transport.maxSendMessageSize == 12)
    #expect(transport.maxHeaderListSize == 2_000 && transport.maxConcurrentStreams == 14)
    #expect(transport.maxConnections == 15 && transport.networkShare == .connections(16))
    #expect(transport.maxConnectionMemory == 70_000 && transport.maxMemory == 2_000_000)
    #expect(transport.initialWindowSize == 19 && transport.initialConnectionWindowSize == 70_001)
    #expect(transport.connectionTimeout == .seconds(21) && transport.receiveTimeout == .seconds(22))
    #expect(transport.sendTimeout == .seconds(23))
    #expect(transport.keepalive.time == .seconds(24) && transport.keepalive.timeout == .seconds(25))
    #expect(transport.enforcementPolicy.minTime == .seconds(26))
    #expect(transport.keepalive.maxConnectionIdle == .seconds(27))
    #expect(transport.keepalive.maxConnectionAge == .seconds(28))
    #expect(transport.keepalive.maxConnectionAgeGrace == .seconds(29))
    #expect(!transport.answersInline && transport.compression == .gzip)
    #expect(transport.compressionMinSize == 32 && transport.unixSocketMode == 0o660)
  }

  @Test(
    "a network may have a number of connections, a share, or no limit",
    arguments: [
      ("7", Nghttp2ServerTransport.Configuration.NetworkShare.connections(7)), ("auto", .automatic),
      ("none", .unlimited),
    ])
  func networkShare(text: String, share: Nghttp2ServerTransport.Configuration.NetworkShare) throws {
    let configuration = try ServiceConfiguration(
      flags: ["grpc.max.network.connections": text], file: nil, environment: [:])
    #expect(configuration.transport.networkShare == share)
  }

  @Test("an optional time can be reset to none by a flag")
  func none() throws {
    let configuration = try ServiceConfiguration(
      flags: ["grpc.max.connection.age": "none"], file: nil,
      environment: ["USER_SERVICE_GRPC_MAX_CONNECTION_AGE": "1h"])
    #expect(configuration.transport.keepalive.maxConnectionAge == nil)
  }
}
