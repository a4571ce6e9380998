import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCNghttp2Transport
import InteropProtos
import SwiftProtobuf
import TestSupport
import Testing

/// gRPC's interoperability test cases for servers, with grpc-swift's client over its own transport
/// (github.com/grpc/grpc, doc/interop-test-descriptions.md).
@Suite(.tags(.heavy), .serialized, .timeLimit(.minutes(10))) struct InteropTests {
  private typealias Client = Grpc_Testing_TestService.Client<HTTP2ClientTransport.Posix>
  private typealias Output = Grpc_Testing_StreamingOutputCallRequest

  /// Runs `body` with clients of a new interop-server, in cleartext and over TLS.
  private func withClient(_ body: @escaping @Sendable (Client) async throws -> Void) async throws {
    let directory = try TemporaryDirectory()
    let certificate = try await TestCertificate(in: directory)
    for usesTLS in [false, true] {
      let server = try await InteropServerProcess(
        usesTLS ? ["--tls-cert", certificate.certificate, "--tls-key", certificate.key] : [])
      let transport = try HTTP2ClientTransport.Posix(
        target: .ipv4(address: "127.0.0.1", port: server.port),
        transportSecurity: usesTLS
          ? .tls { tls in
            tls.trustRoots = .certificates([.file(path: certificate.certificate, format: .pem)])
            tls.serverCertificateVerification = .noHostnameVerification
          } : .plaintext, config: .defaults { $0.compression.enabledAlgorithms = .all })
      try await withGRPCClient(transport: transport) { client in
        try await body(Client(wrapping: client))
      }
      await server.stop()
    }
  }

  private static func payload(_ size: Int) -> Grpc_Testing_Payload { .with { $0.body = Data(count: size) } }

  private static func output(_ size: Int, payload: Int = 0) -> Output {
    .with {
      $0.responseParameters = [.with { $0.size = Int32(size) }]
      $0.payload = Self.payload(payload)
    }
  }

  @Test("empty_unary")
  func emptyUnary() async throws {
    try await withClient { client in
      let response = try await client.emptyCall(Grpc_Testing_Empty())
      #expect(response == Grpc_Testing_Empty())
    }
  }

  @Test("large_unary")
  func largeUnary() async throws {
    try await withClient { client in
      let response = try await client.unaryCall(
        .with {
          $0.responseSize = 314_159
          $0.payload = Self.payload(271_828)
        })
      #expect(response.payload.body == Data(count: 314_159))
    }
  }

  @Test("client_streaming")
  func clientStreaming() async throws {
    try await withClient { client in
      let response = try await client.streamingInputCall { writer in
        for size in [27_182, 8, 1_828, 45_904] {
          try await writer.write(.with { $0.payload = Self.payload(size) })
        }
      }
      #expect(response.aggregatedPayloadSize == 74_922)
    }
  }

  @Test("server_streaming")
  func serverStreaming() async throws {
    try await withClient { client in
      let sizes = [31_415, 9, 2_653, 58_979]
      let request = Output.with {
        $0.responseParameters = sizes.map { size in .with { $0.size = Int32(size) } }
      }
      let received = try await client.streamingOutputCall(request) { response in
        try await response.messages.reduce(into: []) { $0.append($1.payload.body.count) }
      }
      #expect(received == sizes)
    }
  }

  @Test("ping_pong")
  func pingPong() async throws {
    try await withClient { client in
      let exchanges = [(31_415, 27_182), (9, 8), (2_653, 1_828), (58_979, 45_904)]
      let (turns, next) = AsyncStream.makeStream(of: Int.self)
      let sizes = try await client.fullDuplexCall { writer in
        for await turn in turns {
          try await writer.write(Self.output(exchanges[turn].0, payload: exchanges[turn].1))
        }
      } onResponse: { response in
        next.yield(0)
        var sizes: [Int] = []
        for try await message in response.messages {
          sizes.append(message.payload.body.count)
          if sizes.count < exchanges.count { next.yield(sizes.count) } else { next.finish() }
        }
        return sizes
      }
      #expect(sizes == exchanges.map(\.0))
    }
  }

  @Test("half duplex: requests first, then responses")
  func halfDuplex() async throws {
    try await withClient { client in
      let sizes = try await client.halfDuplexCall { writer in
        for size in [10, 20, 30] { try await writer.write(Self.output(size)) }
      } onResponse: { response in
        try await response.messages.reduce(into: []) { $0.append($1.payload.body.count) }
      }
      #expect(sizes == [10, 20, 30])
    }
  }

  @Test("empty_stream")
  func emptyStream() async throws {
    try await withClient { client in
      let count = try await client.fullDuplexCall { _ in
      } onResponse: { response in
        try await response.messages.reduce(into: 0) { count, _ in count += 1 }
      }
      #expect(count == 0)
    }
  }

  @Test("custom_metadata, unary and bidirectional")
  func customMetadata() async throws {
    let metadata: Metadata = [
      "x-grpc-test-echo-initial": "test_initial_metadata_value",
      "x-grpc-test-echo-trailing-bin": .binary([0xab, 0xab, 0xab]),
    ]
    try await withClient { client in
      try await client.unaryCall(.with { $0.responseSize = 1 }, metadata: metadata) { response in
        #expect(
          Array(response.metadata[stringValues: "x-grpc-test-echo-initial"]) == [
            "test_initial_metadata_value"
          ])
        #expect(
          Array(response.trailingMetadata[binaryValues: "x-grpc-test-echo-trailing-bin"]) == [
            [0xab, 0xab, 0xab]
          ])
      }
      try await client.fullDuplexCall(metadata: metadata) { writer in
        try await writer.write(Self.output(1))
      } onResponse: { response in
        #expect(
          Array(response.metadata[stringValues: "x-grpc-test-echo-initial"]) == [
            "test_initial_metadata_value"
          ])
        for try await part in response.bodyParts {
          guard case .trailingMetadata(let trailers) = part else { continue }
          #expect(Array(trailers[binaryValues: "x-grpc-test-echo-trailing-bin"]) == [[0xab, 0xab, 0xab]])
        }
      }
    }
  }

  @Test(
    "status_code_and_message, special_status_message",
    arguments: ["test status message", "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"])
  func status(message: String) async throws {
    try await withClient { client in
      let status = Grpc_Testing_EchoStatus.with {
        $0.code = 2
        $0.message = message
      }
      let unary = await #expect(throws: RPCError.self) {
        _ = try await client.unaryCall(.with { $0.responseStatus = status })
      }
      #expect(unary?.code == .unknown && unary?.message == message)
      let streaming = await #expect(throws: RPCError.self) {
        try await client.fullDuplexCall { writer in
          try await writer.write(.with { $0.responseStatus = status })
        } onResponse: { response in
          for try await _ in response.messages {}
        }
      }
      #expect(streaming?.code == .unknown && streaming?.message == message)
    }
  }

  @Test("unimplemented_method, unimplemented_service")
  func unimplemented() async throws {
    try await withClient { client in
      let error = await #expect(throws: RPCError.self) {
        _ = try await client.unimplementedMethod(Grpc_Testing_Empty())
      }
      #expect(error?.code == .unimplemented)
    }
  }

  @Test("cancel_after_begin: the server goes on serving")
  func cancelAfterBegin() async throws {
    try await withClient { client in
      let (sent, hasSent) = AsyncStream.makeStream(of: Void.self)
      let call = Task {
        try await client.streamingInputCall { writer in
          try await writer.write(.with { $0.payload = Self.payload(1) })
          hasSent.yield()
          await untilCancelled()
        }
      }
      // The call has begun once a message of it is on its way.
      var iterator = sent.makeAsyncIterator()
      _ = await iterator.next()
      call.cancel()
      await #expect(throws: (any Error).self) { try await call.value }
      let response = try await client.emptyCall(Grpc_Testing_Empty())
      #expect(response == Grpc_Testing_Empty())
    }
  }

  @Test("cancel_after_first_response: the server goes on serving")
  func cancelAfterFirstResponse() async throws {
    struct Cancelled: Error {}
    try await withClient { client in
      await #expect(throws: Cancelled.self) {
        try await client.fullDuplexCall { writer in
          try await writer.write(Self.output(31_415))
          await untilCancelled()
        } onResponse: { response in
          for try await message in response.messages {
            #expect(message.payload.body.count == 31_415)
            throw Cancelled()
          }
        }
      }
      let response = try await client.emptyCall(Grpc_Testing_Empty())
      #expect(response == Grpc_Testing_Empty())
    }
  }

  @Test("timeout_on_sleeping_server")
  func timeout() async throws {
    try await withClient { client in
      var options = CallOptions.defaults
      options.timeout = .milliseconds(1)
      let error = await #expect(throws: RPCError.self) {
        try await client.fullDuplexCall(options: options) { writer in
          try await writer.write(Self.output(31_415, payload: 27_182))
          await untilCancelled()
        } onResponse: { response in
          for try await _ in response.messages {}
        }
      }
      #expect(error?.code == .deadlineExceeded)
    }
  }

  @Test(
    "requests compressed with gzip and deflate are accepted",
    arguments: [CompressionAlgorithm.gzip, .deflate])
  func compressedRequests(algorithm: CompressionAlgorithm) async throws {
    try await withClient { client in
      var options = CallOptions.defaults
      options.compression = algorithm
      let response = try await client.unaryCall(
        .with {
          $0.responseSize = 314_159
          $0.payload = Self.payload(271_828)
          $0.expectCompressed = .with { $0.value = true }
          $0.responseCompressed = .with { $0.value = true }
        }, options: options)
      #expect(response.payload.body.count == 314_159)
      let refused = await #expect(throws: RPCError.self) {
        _ = try await client.unaryCall(.with { $0.expectCompressed = .with { $0.value = true } })
      }
      #expect(refused?.code == .invalidArgument)
    }
  }
}
