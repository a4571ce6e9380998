import Foundation
import Logging
import NIOCore

/// Pauses accepting for a second when descriptors or memory run out. Connections then wait in the kernel's queue,
/// which would otherwise be polled in a tight loop.
///
/// NIO's `AcceptBackoffHandler` delays the next read but not the failed one, which the selector repeats.
final class AcceptPause: ChannelInboundHandler {
  typealias InboundIn = any Channel

  private static let pause = TimeAmount.seconds(1)

  private let log: ThrottledLog

  /// - Parameter log: records each failure.
  init(_ log: ThrottledLog) {
    self.log = log
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard let code = (error as? IOError)?.errnoCode, [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) else {
      context.fireErrorCaught(error)
      return
    }
    log.note(["reason": "\(BindFailure.words(code))"])
    let channel = context.channel
    // Fails only for a closed channel, which accepts nothing either.
    channel.setOption(.autoRead, value: false).whenSuccess {
      channel.eventLoop.scheduleTask(in: Self.pause) { channel.setOption(.autoRead, value: true) }
    }
  }
}
