import Foundation
import Logging
import NIOCore

/// Accepts nothing for a second when descriptors or memory have run out: connections wait in the kernel's queue, which
/// would be asked again and again otherwise.
///
/// NIO's own `AcceptBackoffHandler` holds back the next read, but not the one that has failed, which the selector repeats.
final class AcceptPause: ChannelInboundHandler {
  typealias InboundIn = any Channel

  private static let pause = TimeAmount.seconds(1)

  private let log: ThrottledLog

  /// - Parameter log: hears of each failure.
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
    // It fails for a channel that is closed, which accepts nothing either.
    channel.setOption(.autoRead, value: false).whenSuccess {
      channel.eventLoop.scheduleTask(in: Self.pause) { channel.setOption(.autoRead, value: true) }
    }
  }
}
