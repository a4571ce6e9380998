import Foundation
public import GRPCCore
public import Logging
public import NIOCore
public import NIOPosix
import NIOSSL
import Synchronization

/// A gRPC server transport over HTTP/2. SwiftNIO provides sockets, event loops and TLS; libnghttp2 provides frames,
/// HPACK and flow control.
///
/// Each connection lives on one event loop, together with the tasks that handle its calls. A call whose handler does
/// not suspend is answered in the turn of the loop in which it arrived.
///
/// A call's task is cancelled, and its cancellation handle fires, when the client resets the call or disconnects, and
/// when its deadline passes; the transport then answers DEADLINE_EXCEEDED. The request's metadata does not contain
/// `grpc-timeout`; the deadline is in ``Context``.
///
/// The protocol is specified in github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md, and RFC 9113.
public final class Nghttp2ServerTransport: ServerTransport {
  public typealias Bytes = MessageBytes
  public typealias Configuration = HTTP2Configuration
  public typealias Context = CallContext
  public typealias CallFault = GRPCNghttp2Transport.CallFault

  /// The reason why the transport cannot serve, in one line.
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  private struct State {
    var methods = MethodTable([])
    var listening: [any Channel] = []
    var socketFiles: [UnixSocketFile] = []
    var addresses: Result<[Listener.Address], any Error>?
    var waiters: [UInt64: CheckedContinuation<[Listener.Address], any Error>] = [:]
    var nextWaiter: UInt64 = 0
  }

  private let listeners: [Listener]
  private let inlineMethods: [InlineMethod]
  private let receiveLimits: [MethodDescriptor: Int]
  private let configuration: Configuration
  private let group: any EventLoopGroup
  private let logger: Logger
  private let registry: ConnectionRegistry
  private let acceptLog: ThrottledLog
  private let memory: MemoryBudget
  private let state = Mutex(State())

  /// Creates a transport that serves at all `listeners`, or fails.
  ///
  /// - Parameters:
  ///   - eventLoopGroup: the event loops for the connections; by default NIO's global ones, one a core.
  /// - receiveLimits: the largest request message of each method, in inflated bytes. The limit applies before a
  ///   message is buffered or inflated; a larger one ends its call with RESOURCE_EXHAUSTED.
  ///   ``Configuration/maxReceiveMessageSize`` applies to other methods, and bounds every limit.
  ///   - inlineMethods: methods that are answered on the event loop, without their handlers.
  ///   - logger: logs connections that are ended for their behaviour, at level info.
  public init(
    listeners: [Listener], configuration: Configuration = Configuration(),
    eventLoopGroup: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup,
    receiveLimits: [MethodDescriptor: Int] = [:], inlineMethods: [InlineMethod] = [],
    logger: Logger = Logger(label: "grpc-nghttp2", factory: { _ in SwiftLogNoOpLogHandler() })
  ) {
    self.listeners = listeners
    self.configuration = configuration
    self.group = eventLoopGroup
    self.receiveLimits = receiveLimits
    self.inlineMethods = configuration.answersInline ? inlineMethods : []
    self.logger = logger
    let loop = eventLoopGroup.next()
    registry = ConnectionRegistry(configuration, logger: logger, loop: loop)
    acceptLog = ThrottledLog(
      "connections cannot be accepted", level: .error, every: .minutes(1), logger: logger, loop: loop)
    memory = MemoryBudget(limit: configuration.maxMemory)
  }

  /// The number of open connections.
  public var connectionCount: Int { registry.count }

  /// The number of connections refused since the start because of the connection limits.
  public var refusedConnectionCount: UInt64 { registry.refusedCount }

  /// Reloads the files of every TLS identity, and logs changes and errors.
  public func reloadCertificates() {
    for security in identities {
      do throws(TLSIdentity.Failure) {
        if try security.reload() { logger.notice("TLS certificate reloaded") }
      } catch {
        logger.error("TLS certificate not reloaded", metadata: ["reason": "\(error)"])
      }
    }
  }

  /// The distinct identities; listeners may share one.
  private var identities: [TLSIdentity] {
    Dictionary(grouping: listeners.compactMap(\.security), by: ObjectIdentifier.init).values.map { $0[0] }
  }

  /// The bytes that count towards ``Configuration/maxMemory``.
  public var memoryInUse: Int { memory.inUse }

  /// The addresses on which the transport listens, in the order of the listeners and with their actual ports. Waits
  /// until it listens.
  ///
  /// - Throws: the error of ``listen(streamHandler:)`` if it cannot listen.
  public var addresses: [Listener.Address] {
    get async throws {
      let id = state.withLock { state in
        state.nextWaiter += 1
        return state.nextWaiter
      }
      return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
          let known: Result<[Listener.Address], any Error>? = state.withLock { state in
            if Task.isCancelled { return .failure(CancellationError()) }
            if state.addresses == nil { state.waiters[id] = continuation }
            return state.addresses
          }
          if let known { continuation.resume(with: known) }
        }
      } onCancel: {
        state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(throwing: CancellationError())
      }
    }
  }

  private func publish(_ addresses: Result<[Listener.Address], any Error>) {
    let waiters = state.withLock { state in
      state.addresses = addresses
      defer { state.waiters = [:] }
      return state.waiters.values
    }
    for waiter in waiters { waiter.resume(with: addresses) }
  }

  public func configure(context: GRPCServerContext) {
    state.withLock {
      $0.methods = MethodTable(
        context.methods, limits: receiveLimits, maximum: configuration.maxReceiveMessageSize,
        inline: inlineMethods)
    }
  }

  /// Serves until the transport is shut down and the last call has ended. If the task is cancelled, closes every
  /// connection first.
  ///
  /// - Throws: ``Failure`` if it cannot listen at one of its addresses.
  public func listen(
    streamHandler: @escaping @concurrent @Sendable (RPCStream<Inbound, Outbound>, ServerContext) async -> Void
  ) async throws {
    do {
      let channels = try await bind(streamHandler)
      publish(.success(zip(listeners, channels).map { $0.address.bound(to: $1.localAddress) }))
      if state.withLock({ state in
        state.listening = channels
        return registry.isShuttingDown
      }) {
        closeListeners()
      }
    } catch {
      publish(.failure(error))
      throw error
    }
    await withTaskCancellationHandler {
      await withTaskGroup(of: Void.self) { group in
        for security in identities {
          group.addTask { await security.reloadUntilCancelled(self.logger) }
        }
        await registry.ended()
        group.cancelAll()
      }
    } onCancel: {
      closeListeners()
      registry.abort()
    }
  }

  /// Stops listening, sends GOAWAY on every connection, twice (RFC 9113 §6.8), and lets running calls finish.
  public func beginGracefulShutdown() {
    registry.shutDown()
    closeListeners()
  }

  private func closeListeners() {
    let (channels, files) = state.withLock { state in
      defer { (state.listening, state.socketFiles) = ([], []) }
      return (state.listening, state.socketFiles)
    }
    for file in files { file.remove() }
    for channel in channels { channel.close(promise: nil) }
  }

  /// Returns the initializer that turns channels of `loops` into connections of this transport.
  package func connectionInitializer(
    on loops: [any EventLoop],
    streamHandler: @escaping @concurrent @Sendable (RPCStream<Inbound, Outbound>, ServerContext) async -> Void
  ) -> ConnectionInitializer {
    ConnectionInitializer(
      configuration, methods: state.withLock { $0.methods }, registry: registry, memory: memory, loops: loops,
      logger: logger, streamHandler: streamHandler)
  }

  private func bind(_ streamHandler: @escaping Connection.StreamHandler) async throws -> [any Channel] {
    let initializer = connectionInitializer(on: Array(group.makeIterator()), streamHandler: streamHandler)
    var channels: [any Channel] = []
    do {
      for listener in listeners { channels.append(try await bind(listener, initializer)) }
      return channels
    } catch {
      let files = state.withLock { state in
        defer { state.socketFiles = [] }
        return state.socketFiles
      }
      for file in files { file.remove() }
      for channel in channels {
        try? await channel.close()  // `error` is the cause to report.
      }
      let address = listeners[channels.count].address
      throw Failure(description: "cannot listen on \(address): \(BindFailure(error))")
    }
  }

  private func bind(
    _ listener: Listener, _ initializer: ConnectionInitializer
  ) async throws -> any Channel {
    let bootstrap = bootstrap(listener, initializer)
    switch listener.address {
    case .tcp(let host, let port): return try await bootstrap.bind(host: host, port: port).get()
    case .unix(let path):
      let (file, socket) = try UnixSocketFile.bind(path, mode: configuration.unixSocketMode)
      state.withLock { $0.socketFiles.append(file) }
      let channel = try await bootstrap.withBoundSocket(socket).get()
      // NIO has set its own default backlog.
      _ = Foundation.listen(socket, Self.backlog)
      return channel
    }
  }

  /// The number of connections that the kernel queues until they are accepted.
  static let backlog: CInt = 1_024

  private func bootstrap(_ listener: Listener, _ initializer: ConnectionInitializer) -> ServerBootstrap {
    let isTCP = if case .tcp = listener.address { true } else { false }
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: Self.backlog)
      .serverChannelInitializer { [acceptLog] channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(AcceptPause(acceptLog))
        }
      }
      .childChannelOption(.writeBufferWaterMark, value: .init(low: 32 * 1_024, high: 128 * 1_024))
      .childChannelOption(.maxMessagesPerRead, value: 4)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try initializer.initialize(channel, security: listener.security)
        }
      }
    guard isTCP else { return bootstrap }
    return bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
  }
}
