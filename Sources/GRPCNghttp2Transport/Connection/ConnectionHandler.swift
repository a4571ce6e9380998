import Logging
import NIOCore
import NIOSSL
import NIOTLS

/// Connects a ``Connection`` to its channel: reads, writes once a turn of the loop, schedules its timer, and closes.
///
/// Confined to the channel's event loop, as every channel handler is.
final class ConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// The bytes that are written at once.
  private static let chunk = 64 * 1_024
  /// How long the client may take to close its side, so that it can read the last output.
  private static let linger = TimeAmount.seconds(1)

  private let makeConnection: (any Channel) -> Connection
  private let requiresALPN: Bool
  private let registry: ConnectionRegistry
  private let resources: LoopResources
  private let logger: Logger

  private var context: ChannelHandlerContext?
  private(set) var connection: Connection?
  private var isReading = false
  private var willFlush = false
  private var isClosing = false
  private var isInactive = false
  private var handlersHaveEnded = false
  private var hasEnded = false
  private var timer: (time: NIODeadline, task: Scheduled<Void>)?
  private var handshakeTimer: Scheduled<Void>?
  /// The time since which the connection has no streams, for the registry.
  let idleTime: IdleTime
  /// Whether the connection is ended in favour of another one.
  private var makesRoom = false
  private var stuckTimer: Scheduled<Void>?
  private let connectionTimeout: TimeAmount
  private let sendTimeout: TimeAmount

  init(
    _ configuration: HTTP2Configuration, requiresALPN: Bool, registry: ConnectionRegistry,
    resources: LoopResources, idleTime: IdleTime, logger: Logger,
    makeConnection: @escaping (any Channel) -> Connection
  ) {
    self.requiresALPN = requiresALPN
    connectionTimeout = TimeAmount(configuration.connectionTimeout)
    sendTimeout = TimeAmount(configuration.sendTimeout)
    self.registry = registry
    self.resources = resources
    self.idleTime = idleTime
    self.logger = logger
    self.makeConnection = makeConnection
  }

  // MARK: The channel's events

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    resources.connectionBegan()
    if context.channel.isActive { channelActive(context: context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    context.fireChannelActive()
    guard requiresALPN else { return begin(context) }
    // The connection starts its own time-out after the handshake.
    let channel = context.channel
    handshakeTimer = context.eventLoop.scheduleTask(in: connectionTimeout) { channel.close(promise: nil) }
  }

  private func begin(_ context: ChannelHandlerContext) {
    guard connection == nil else { return }
    let connection = makeConnection(context.channel)
    self.connection = connection
    connection.onWork = { [unowned self] in flushLater() }
    connection.onEnd = { [self] in
      handlersHaveEnded = true
      endIfDone()
    }
    connection.start()
    if registry.isShuttingDown { connection.shutDown(now: context.eventLoop.now) }
    flush()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted(let negotiated) = event as? TLSUserEvent {
      handshakeTimer?.cancel()
      handshakeTimer = nil
      if negotiated == "h2" {
        begin(context)
      } else {
        logger.debug("connection refused", metadata: ["reason": "the client did not negotiate h2"])
        context.close(promise: nil)
      }
    }
    context.fireUserInboundEventTriggered(event)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isClosing, let connection else { return }
    isReading = true
    connection.receive(unwrapInboundIn(data), now: context.eventLoop.now)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    // Output of other connections' handlers leaves in the same turn.
    resources.executor.drain()
    isReading = false
    flush()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { flush() }
    context.fireChannelWritabilityChanged()
  }

  func channelInactive(context: ChannelHandlerContext) {
    isClosing = true
    cancelTimers()
    isInactive = true
    connection?.lost()
    endIfDone()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    // A channel that never became active reports its end only here.
    isInactive = true
    endIfDone()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // The cause is the peer, such as a reset connection or a failed handshake.
    logger.debug("connection failed", metadata: ["error": "\(error)"])
    context.close(promise: nil)
  }

  /// Removes the connection from the registry once its channel is closed and its last handler has ended.
  private func endIfDone() {
    guard !hasEnded, isInactive, connection == nil || handlersHaveEnded else { return }
    hasEnded = true
    connection?.onEnd = {}
    registry.remove(self)
    resources.connectionEnded()
  }

  // MARK: Requests of the server

  /// Lets running calls finish, then closes.
  func shutDown() {
    guard let context, !isClosing else { return }
    if let connection { connection.shutDown(now: context.eventLoop.now) } else { context.close(promise: nil) }
  }

  /// Ends running calls with a status, then closes.
  func abort() {
    guard let context, !isClosing else { return }
    guard let connection else { return context.close(promise: nil) }
    connection.cutOff()
    flush()
    guard !isClosing else { return }
    isClosing = true
    // A client that does not read its output is not waited for.
    if context.channel.isWritable {
      closeOutput(context.channel, context)
    } else {
      context.close(promise: nil)
    }
    connection.lost()
  }

  /// Ends the connection in favour of another one, with GOAWAY. A client may retry the calls that GOAWAY reports as
  /// unprocessed (RFC 9113 §6.8).
  ///
  /// - Returns: whether the connection ends; false if it has streams.
  func makeRoom() -> Bool {
    guard let context, !isClosing else { return true }
    guard let connection else {
      context.close(promise: nil)
      return true
    }
    guard idleTime.start != nil else { return false }
    makesRoom = true
    connection.end("idle, and replaced by another connection")
    flush()
    return true
  }

  // MARK: Output

  private func flushLater() {
    guard !isReading, !willFlush, !isClosing else { return }
    willFlush = true
    resources.executor.flushLater { self.flush() }
  }

  /// Sends pending output as far as the socket accepts it.
  func flush() {
    willFlush = false
    guard let context, let connection, !isClosing else { return }
    let now = context.eventLoop.now
    while context.channel.isWritable, let bytes = connection.produce(upTo: Self.chunk, now: now) {
      // Flushed at once, because TLS buffers unflushed writes without limit while the channel stays writable.
      context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
      if isClosing { return }
    }
    watchSocket(context)
    if connection.fault != nil, connection.mustClose || !context.channel.isWritable {
      closeFaulty(connection, context)
    } else if connection.mustClose {
      closeOrderly(context)
    } else {
      schedule(connection.wakeup, context)
    }
  }

  /// Applies the send time-out to a client that reads nothing from its socket.
  private func watchSocket(_ context: ChannelHandlerContext) {
    if context.channel.isWritable {
      stuckTimer?.cancel()
      stuckTimer = nil
    } else if stuckTimer == nil {
      let channel = context.channel
      stuckTimer = context.eventLoop.scheduleTask(in: sendTimeout) { channel.close(promise: nil) }
    }
  }

  /// Ends the connection after a connection error.
  private func closeFaulty(_ connection: Connection, _ context: ChannelHandlerContext) {
    isClosing = true
    if makesRoom { return leave(connection, context) }
    logEnd(connection.fault?.reason ?? "")
    closeOutput(context.channel, context)
    connection.lost()
  }

  /// Ends a replaced connection. The registry logs it, at most once a second.
  private func leave(_ connection: Connection, _ context: ChannelHandlerContext) {
    connection.lost()
    if requiresALPN {
      closeOutput(context.channel, context)
    } else {
      // Closed at once to free its descriptor. An idle client has no unread input here, so it still receives GOAWAY.
      cancelTimers()
      context.close(promise: nil)
    }
  }

  private func logEnd(_ reason: String) {
    logger.info(
      "connection ended", metadata: ["reason": "\(reason)", "peer": "\(connection?.peer.remote ?? "")"])
  }

  /// Ends the connection once all output is sent.
  private func closeOrderly(_ context: ChannelHandlerContext) {
    isClosing = true
    if let fault = connection?.sessionFault { logEnd(fault.reason) }
    let channel = context.channel
    let sent = context.eventLoop.makePromise(of: Void.self)
    context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: sent)
    sent.futureResult.assumeIsolated().whenComplete { [self] _ in
      guard let context = self.context else { return }
      closeOutput(channel, context)
    }
  }

  /// Closes the sending side first. A full close with unread input would reset the connection, and the client could
  /// lose the last output.
  private func closeOutput(_ channel: any Channel, _ context: ChannelHandlerContext) {
    cancelTimers()
    context.close(mode: .output).whenFailure { _ in channel.close(promise: nil) }
    let linger = context.eventLoop.scheduleTask(in: Self.linger) { channel.close(promise: nil) }
    channel.closeFuture.whenComplete { _ in linger.cancel() }
  }

  private func cancelTimers() {
    timer?.task.cancel()
    timer = nil
    stuckTimer?.cancel()
    stuckTimer = nil
    handshakeTimer?.cancel()
    handshakeTimer = nil
  }

  // MARK: Time

  private func schedule(_ time: NIODeadline, _ context: ChannelHandlerContext) {
    if let timer {
      // A timer that fires early costs less than moving it with every read.
      if timer.time <= time { return }
      timer.task.cancel()
    }
    let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: time) { [unowned self] in
      timePassed()
    }
    timer = (time, task)
  }

  private func timePassed() {
    timer = nil
    guard let connection, let context, !isClosing else { return }
    let now = context.eventLoop.now
    if connection.wakeup <= now { connection.timePassed(now: now) }
    if !willFlush { schedule(connection.wakeup, context) }
  }
}
