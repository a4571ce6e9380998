import Logging
package import NIOCore
import NIOSSL

/// Sets up channels to serve gRPC, and holds what all connections of a transport share.
package struct ConnectionInitializer: Sendable {
  let configuration: HTTP2Configuration
  let methods: MethodTable
  let registry: ConnectionRegistry
  let memory: MemoryBudget
  let resources: [ObjectIdentifier: LoopResources]
  let logger: Logger
  let streamHandler: Connection.StreamHandler

  /// Creates an initializer for the event loops `loops` that passes calls of `methods` to `streamHandler`.
  init(
    _ configuration: HTTP2Configuration, methods: MethodTable, registry: ConnectionRegistry,
    memory: MemoryBudget, loops: [any EventLoop], logger: Logger,
    streamHandler: @escaping Connection.StreamHandler
  ) {
    self.configuration = configuration
    self.methods = methods
    self.registry = registry
    self.memory = memory
    resources = Dictionary(
      loops.map { (ObjectIdentifier($0), LoopResources(executor: EventLoopTaskExecutor(loop: $0))) },
      uniquingKeysWith: { first, _ in first })
    self.logger = logger
    self.streamHandler = streamHandler
  }

  /// Adds the handlers to the channel of a new connection, on its event loop.
  ///
  /// - Throws: `ChannelError` if the connection is refused, which closes the channel.
  package func initialize(_ channel: any Channel, security: TLSIdentity? = nil) throws {
    // Every loop of the group has an entry.
    guard let resources = resources[ObjectIdentifier(channel.eventLoop)] else {
      throw ChannelError.inputClosed
    }
    let idleTime = IdleTime(now: channel.eventLoop.now)
    let handler = ConnectionHandler(
      configuration, requiresALPN: security != nil, registry: registry, resources: resources,
      idleTime: idleTime, logger: logger
    ) { channel in
      let core = ConnectionCore(
        configuration, methods: methods, budget: memory, pool: resources.streamMemory,
        deflater: resources.deflater, idleTime: idleTime, jitter: .random(in: -0.1...0.1),
        now: channel.eventLoop.now)
      return Connection(
        core: core, resources: resources, peer: ConnectionPeer(channel), streamHandler: streamHandler)
    }
    if let security {
      try channel.pipeline.syncOperations.addHandlers(
        ProtocolOfferHandler(logger: logger), NIOSSLServerHandler(context: security.context))
    }
    try channel.pipeline.syncOperations.addHandler(handler)
    guard registry.add(handler, for: channel) else { throw ChannelError.inputClosed }
  }
}
