import Logging
package import NIOCore
import NIOSSL

/// Makes channels serve gRPC: what is the same for every connection of a transport.
package struct ConnectionInitializer: Sendable {
  let configuration: Nghttp2ServerTransport.Configuration
  let methods: MethodTable
  let registry: ConnectionRegistry
  let memory: MemoryBudget
  let executors: [ObjectIdentifier: LoopExecutor]
  let logger: Logger
  let streamHandler: Connection.StreamHandler

  /// For connections on the loops of `loops`, with calls of `methods` going to `streamHandler`.
  init(
    _ configuration: Nghttp2ServerTransport.Configuration, methods: MethodTable, registry: ConnectionRegistry,
    memory: MemoryBudget, loops: [any EventLoop], logger: Logger,
    streamHandler: @escaping Connection.StreamHandler
  ) {
    self.configuration = configuration
    self.methods = methods
    self.registry = registry
    self.memory = memory
    executors = Dictionary(
      loops.map { (ObjectIdentifier($0), LoopExecutor(loop: $0)) }, uniquingKeysWith: { first, _ in first })
    self.logger = logger
    self.streamHandler = streamHandler
  }

  /// Adds the handlers to a new connection's channel, on its event loop.
  ///
  /// - Throws: `ChannelError` if there are too many connections, which closes the channel.
  package func initialize(_ channel: any Channel, security: TLSIdentity? = nil) throws {
    // Every loop of the group has one.
    guard let executor = executors[ObjectIdentifier(channel.eventLoop)] else {
      throw ChannelError.inputClosed
    }
    let handler = ConnectionHandler(
      requiresALPN: security != nil, connectionTimeout: TimeAmount(configuration.connectionTimeout),
      sendTimeout: TimeAmount(configuration.sendTimeout), registry: registry, executor: executor,
      now: channel.eventLoop.now, logger: logger
    ) { channel in
      Connection(
        configuration: configuration, executor: executor, peer: Nghttp2ServerTransport.Peer(channel),
        methods: methods, budget: memory, now: channel.eventLoop.now, streamHandler: streamHandler)
    }
    if let security {
      try channel.pipeline.syncOperations.addHandlers(
        ProtocolOfferHandler(logger: logger), NIOSSLServerHandler(context: security.context))
    }
    try channel.pipeline.syncOperations.addHandler(handler)
    guard registry.add(handler, for: channel) else { throw ChannelError.inputClosed }
  }
}
