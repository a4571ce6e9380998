public import GRPCCore
public import Logging

/// Writes one line for each call when it ends: method, status, duration, peer and request id.
///
/// The request id is the client's `x-request-id`, if it is 1 to 64 letters, digits, dots, hyphens or
/// underscores, or else a random one. Messages and other metadata are never logged.
public struct LoggingInterceptor: ServerInterceptor {
  private static let level = Logger.Level.info
  private let logger: Logger

  /// The interceptor, which goes outermost. Lines go to `logger` at level info; what fails
  /// unexpectedly is ``ErrorInterceptor``'s to log as an error.
  public init(logger: Logger) {
    self.logger = logger
  }

  /// Whether `logger` takes the lines; if not, the interceptor is of no use.
  public static func isEnabled(for logger: Logger) -> Bool { logger.logLevel <= level }

  /// Runs the handler, and then its stream of responses, and logs how the call ended.
  public func intercept<Input: Sendable, Output: Sendable>(
    request: StreamingServerRequest<Input>, context: ServerContext,
    next:
      @concurrent @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
      StreamingServerResponse<Output>
  ) async throws -> StreamingServerResponse<Output> {
    let call = Call(request.metadata, context, logger)
    let response: StreamingServerResponse<Output>
    do {
      response = try await next(request, context)
    } catch {
      call.ended(error)
      throw error
    }
    if case .failure(let error) = response.accepted { call.ended(error) }
    return response.wrappingProducer { writer, produce in
      do {
        let trailers = try await produce(writer)
        call.ended(nil)
        return trailers
      } catch {
        call.ended(error)
        throw error
      }
    }
  }

  private struct Call: Sendable {
    private let start = ContinuousClock.now
    private let method: String
    private let peer: String
    private let requestID: String
    private let logger: Logger

    init(_ metadata: Metadata, _ context: ServerContext, _ logger: Logger) {
      method = context.descriptor.fullyQualifiedMethod
      peer = context.remotePeer
      let given = metadata[stringValues: "x-request-id"].first { _ in true }
      requestID = given.flatMap { Self.isPlain($0) ? $0 : nil } ?? RandomID.make()
      self.logger = logger
    }

    func ended(_ error: (any Error)?) {
      let code: RPCError.Code? = error.map { error in
        (error as? RPCError)?.code ?? (error as? any RPCErrorConvertible)?.rpcErrorCode ?? .unknown
      }
      let microseconds = (ContinuousClock.now - start) / .microseconds(1)
      logger.log(
        level: LoggingInterceptor.level, "call",
        metadata: [
          "method": "\(method)", "status": "\(code.map(\.description) ?? "ok")",
          "duration_ms": "\((microseconds / 10).rounded() / 100)", "peer": "\(peer)",
          "request_id": "\(requestID)",
        ])
    }

    /// What a client sends must not be able to break or forge a line of the log.
    private static func isPlain(_ id: String) -> Bool {
      (1...64).contains(id.utf8.count)
        && id.utf8.allSatisfy { byte in
          switch byte {
          case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
          default: false
          }
        }
    }
  }
}
