import GRPCCore
import UserAPI

/// A transport whose calls have a well-formed `grpc-timeout` or none.
///
/// GRPCCore traps on a negative one before any interceptor sees it (`Timeout.init`, grpc-swift-2 2.4), so that one
/// header would end the process. A malformed time-out ends its call instead.
struct TimeoutCheckingTransport<Base: ServerTransport>: ServerTransport {
  typealias Bytes = Base.Bytes

  let base: Base

  func listen(
    streamHandler:
      @escaping @concurrent @Sendable (_ stream: RPCStream<Inbound, Outbound>, _ context: ServerContext) async
      -> Void
  ) async throws {
    try await base.listen { stream, context in
      let inbound = stream.inbound.map { part in
        if case .metadata(let metadata) = part, !CallDeadline.isWellFormed(metadata) {
          throw RPCError(code: .internalError, message: "malformed grpc-timeout")
        }
        return part
      }
      await streamHandler(
        RPCStream(
          descriptor: stream.descriptor, inbound: RPCAsyncSequence(wrapping: inbound),
          outbound: stream.outbound),
        context)
    }
  }

  func configure(context: GRPCServerContext) {
    base.configure(context: context)
  }

  func beginGracefulShutdown() {
    base.beginGracefulShutdown()
  }
}
