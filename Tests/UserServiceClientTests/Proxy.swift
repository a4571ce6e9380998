import NIOCore
import NIOPosix
import Synchronization

/// A way to a service that fails as it is told to.
final class Proxy: Sendable {
  /// What befalls a connection.
  enum Plan: Sendable {
    /// Nothing.
    case pass
    /// It is cut when so many bytes have come from the service.
    case cut(afterBytes: Int)
    /// It is cut when this text is about to come from the service, so that the answer with it is lost.
    case cutBefore(String)
    /// Nothing of the service comes through any more after so many bytes.
    case stall(afterBytes: Int)
    /// The first bytes of the service come through once this is fulfilled.
    case hold(until: EventLoopFuture<Void>)
  }

  private let channel: any Channel
  private let plans: Plans

  /// A proxy to a port of this machine. The n-th connection has the n-th plan; those after it have none.
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

  /// Connections that were made so far.
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
      // What comes later is read, and lost: so the end of the connection is still noticed.
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

  /// Lets `count` bytes of `buffer` through. Returns how many more may follow, or nil if there were more.
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
