import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCNghttp2Transport
import NIOSSL
import Synchronization
import TestSupport
import Testing

/// A handler's view of its call, and of the call's end.
@Suite(.tags(.io), .timeLimit(.minutes(10))) struct CallContextTests {
  private static let method = MethodDescriptor(
    fullyQualifiedService: "test.Service", method: "Call", type: .bidirectionalStreaming)

  private struct Service: RegistrableRPCService {
    let handler: @Sendable (RPCWriter<[UInt8]>, ServerContext) async throws -> Void

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
      router.registerHandler(forMethod: method, deserializer: Raw(), serializer: Raw()) { _, context in
        StreamingServerResponse { writer in
          try await handler(writer, context)
          return [:]
        }
      }
    }
  }

  /// Serves `handler` and runs `body` with the port.
  private func withServer(
    security: TLSIdentity? = nil,
    handler: @escaping @Sendable (RPCWriter<[UInt8]>, ServerContext) async throws -> Void,
    _ body: @escaping @Sendable (_ port: Int) async throws -> Void
  ) async throws {
    let transport = Nghttp2ServerTransport(listeners: [
      Listener(.tcp(host: "127.0.0.1", port: 0), security: security)
    ])
    try await withGRPCServer(transport: transport, services: [Service(handler: handler)]) { server in
      guard case .tcp(_, let port) = try await server.transport.addresses[0] else { return }
      try await body(port)
    }
  }

  private func withClient(
    _ port: Int, security: HTTP2ClientTransport.Posix.TransportSecurity = .plaintext,
    _ body: @escaping @Sendable (GRPCClient<HTTP2ClientTransport.Posix>) async throws -> Void
  ) async throws {
    try await withGRPCClient(
      transport: .http2NIOPosix(
        target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: security), handleClient: body)
  }

  /// Makes a call, and passes each message to `onMessage`.
  private func call(
    _ client: GRPCClient<HTTP2ClientTransport.Posix>, timeout: Duration? = nil,
    onMessage: @escaping @Sendable ([UInt8]) throws -> Void = { _ in }
  ) async throws {
    var options = CallOptions.defaults
    options.timeout = timeout
    try await client.bidirectionalStreaming(
      request: StreamingClientRequest { _ in }, descriptor: Self.method, serializer: Raw(),
      deserializer: Raw(),
      options: options
    ) { response in
      for try await message in response.messages { try onMessage(message) }
    }
  }

  @Test("the handler has its client's certificate, the connection's addresses and the deadline")
  func context() async throws {
    let directory = try TemporaryDirectory()
    let server = try await TestCertificate(in: directory)
    let client = try await TestCertificate(in: directory, name: "client")
    let identity = try TLSIdentity(
      .init(certificate: server.certificate, key: server.key, clientAuthorities: client.certificate))
    let expected = try NIOSSLCertificate.fromPEMFile(client.certificate)[0]
    let security = HTTP2ClientTransport.Posix.TransportSecurity.mTLS(
      certificateChain: [.file(path: client.certificate, format: .pem)],
      privateKey: .file(path: client.key, format: .pem)
    ) { tls in
      tls.trustRoots = .certificates([.file(path: server.certificate, format: .pem)])
      tls.serverCertificateVerification = .noHostnameVerification
    }
    try await withServer(security: identity) { writer, context in
      let own = try #require(context.transportSpecific as? Nghttp2ServerTransport.Context)
      #expect(own.peerCertificate == expected)
      #expect(context.remotePeer.hasPrefix("ipv4:127.0.0.1:"))
      #expect(context.localPeer.hasPrefix("ipv4:127.0.0.1:"))
      let left = try #require(own.deadline) - .now
      #expect(left > .seconds(3_000) && left < .seconds(3_601))
      #expect(!own.deadlineHasPassed)
      try await writer.write([1])
    } _: { port in
      try await withClient(port, security: security) { client in
        let count = Mutex(0)
        try await call(client, timeout: .seconds(3_600)) { _ in count.withLock { $0 += 1 } }
        #expect(count.withLock { $0 } == 1)
      }
    }
  }

  private final class Begun: Sendable {
    let value = Mutex(false)
  }

  enum End: CaseIterable {
    case reset, deadline
  }

  @Test(
    "rules 19 and 20: the end of a call cancels its handler and fires its handle", arguments: End.allCases)
  func ends(end: End) async throws {
    let (ended, endedContinuation) = AsyncStream.makeStream(of: Bool.self)
    let hasBegun = Begun()
    try await withServer { writer, context in
      hasBegun.value.withLock { $0 = true }
      try await writer.write([1])
      // Ends only with the call: both the handle and the cancellation of the task are observed.
      try? await context.cancellation.cancelled
      await untilCancelled()
      endedContinuation.yield(context.cancellation.isCancelled)
    } _: { port in
      struct Enough: Error {}
      try await withClient(port) { client in
        switch end {
        case .reset:
          await #expect(throws: (any Error).self) { try await call(client) { _ in throw Enough() } }
        case .deadline:
          // On a busy machine the first deadlines may pass before the call reaches its handler.
          while !hasBegun.value.withLock({ $0 }) {
            let error = await #expect(throws: RPCError.self) { try await call(client, timeout: .seconds(1)) }
            // Any other error would repeat for ever.
            try #require(error?.code == .deadlineExceeded)
          }
        }
      }
      var iterator = ended.makeAsyncIterator()
      let wasCancelled = await iterator.next()
      #expect(wasCancelled == true)
    }
  }
}
