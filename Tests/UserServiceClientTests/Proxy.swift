import NIOCore
import NIOPosix
import Synchronization

/// A proxy to a service that fails according to plans.
final class Proxy: Sendable {
  /// The behaviour of one connection.
  enum Plan: Sendable {
    /// Forwards everything.
    case pass
    /// Closes the connection once the service has sent this many bytes.
    case cut(afterBytes: Int)
    /// Closes the connection when the service is about to send this text, so that the response is lost.
    case cutBefore(String)
    /// Stops forwarding from the service after this many bytes.
    case stall(afterBytes: Int)
    /// The first bytes of the service come through once this is fulfilled.
    case hold(until: EventLoopFuture<Void>)
  }

  private let channel: any Channel
  private let plans: Plans

  /// Creates a proxy to a port of this machine. The n-th connection follows the n-th plan; later connections pass.
  init(to port: Int, _ plans: [Plan]) async throws {
    let plans = Plans(plans)
    self.plans = plans
    channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.autoRead, value: false)
      .childChannelInitializer { client in
        let plan = plans.next()
        return ClientBootstrap(group: client.eventLoop)
          .channelOption(.autoRead, value: false)
          .connect(host: "127.0.0.1", port: port)
          .flatMap { server in
            client.eventLoop.makeCompletedFuture {
              let (near, far) = (Pipe(), Pipe(plan))
              try client.pipeline.syncOperations.addHandler(near)
              try server.pipeline.syncOperations.addHandler(far)
              (near.other, far.other) = (server, client)
              server.read()
            }
          }
      }
      .bind(host: "127.0.0.1", port: 0).get()
  }

  private final class Plans: Sendable {
    private let state: Mutex<(remaining: [Plan], taken: Int)>

    init(_ plans: [Plan]) {
      state = Mutex((plans, 0))
    }

    func next() -> Plan {
      state.withLock { state in
        state.taken += 1
        return state.remaining.isEmpty ? .pass : state.remaining.removeFirst()
      }
    }

    var taken: Int { state.withLock { $0.taken } }
  }

  /// The number of connections so far.
  var connectionCount: Int { plans.taken }

  var port: Int { channel.localAddress?.port ?? 0 }

  func close() async throws {
    try await channel.close().get()
  }
}

/// One direction of a connection.
private final class Pipe: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  var other: (any Channel)?
  private var plan: Proxy.Plan
  private var received: [UInt8] = []

  init(_ plan: Proxy.Plan = .pass) {
    self.plan = plan
  }

  func channelActive(context: ChannelHandlerContext) { context.read() }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    switch plan {
    case .pass:
      other?.writeAndFlush(buffer, promise: nil)
    case .cut(let count):
      guard let rest = forward(buffer, atMost: count) else { return cut(context) }
      plan = .cut(afterBytes: rest)
    case .cutBefore(let text):
      received += buffer.readableBytesView
      if String(decoding: received, as: UTF8.self).contains(text) { return cut(context) }
      other?.writeAndFlush(buffer, promise: nil)
    case .stall(let count):
      // Later bytes are read and dropped, so that the end of the connection is still noticed.
      plan = .stall(afterBytes: forward(buffer, atMost: count) ?? 0)
    case .hold(let release):
      plan = .pass
      let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
      release.hop(to: context.eventLoop).whenComplete { _ in
        let (pipe, context) = loopBound.value
        pipe.other?.writeAndFlush(buffer, promise: nil)
        context.read()
      }
      return
    }
    context.read()
  }

  /// Forwards `count` bytes of `buffer`. Returns how many more may follow, or nil if there were more.
  private func forward(_ buffer: ByteBuffer, atMost count: Int) -> Int? {
    let passed = buffer.getSlice(at: buffer.readerIndex, length: min(count, buffer.readableBytes)) ?? buffer
    other?.writeAndFlush(passed, promise: nil)
    return buffer.readableBytes > count ? nil : count - buffer.readableBytes
  }

  func channelInactive(context: ChannelHandlerContext) { cut(context) }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { cut(context) }

  private func cut(_ context: ChannelHandlerContext) {
    other?.close(promise: nil)
    other = nil
    context.close(promise: nil)
  }
}
