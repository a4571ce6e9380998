public import GRPCCore
import SwiftProtobuf
import UserDomain

/// The steps of every call on either road: observe, authorise the caller, decode, answer, and map an error to a status.
public struct CallPipeline: Sendable {
  private let authorizer: Authorizer
  private let observer: CallObserver
  private let errors: ErrorMapper
  private let cause: @Sendable (ServerContext) -> CancellationCause

  /// Creates a pipeline.
  ///
  /// - Parameters:
  ///   - authorizer: decides who may call.
  ///   - observer: observes the calls.
  ///   - errors: maps errors to statuses.
  ///   - cause: returns why the current handler's call was cancelled, as the transport knows.
  public init(
    authorizer: Authorizer, observer: CallObserver, errors: ErrorMapper,
    cause: @escaping @Sendable (ServerContext) -> CancellationCause
  ) {
    self.authorizer = authorizer
    self.observer = observer
    self.errors = errors
    self.cause = cause
  }

  /// Returns the pipeline of one method's calls.
  ///
  /// - Parameter isInline: whether the method's calls can take the inline road, and inline answers are counted.
  func pipeline(of method: MethodDescriptor, isInline: Bool = false) -> MethodPipeline {
    MethodPipeline(
      method, authorizer: authorizer, observer: observer.observer(of: method, isInline: isInline),
      errors: errors, cause: cause)
  }

  /// Registers the handler of a unary method without an inline road. `respond` answers a request; an error fails the call.
  func register<Transport: ServerTransport, Request: Message, Response: Message>(
    _ method: MethodDescriptor, with router: inout RPCRouter<Transport>,
    _ respond: @escaping @Sendable (Request, CallAuthorization) async throws -> Response
  ) {
    register(method, with: &router) { (request: Request, authorization) -> [UInt8] in
      try await respond(request, authorization).serializedBytes()
    }
  }

  /// Registers the handler of a unary method without an inline road, whose `respond` returns a serialized message, such as
  /// ``User/serialized``.
  func register<Transport: ServerTransport, Request: Message>(
    _ method: MethodDescriptor, with router: inout RPCRouter<Transport>,
    _ respond: @escaping @Sendable (Request, CallAuthorization) async throws -> [UInt8]
  ) {
    let pipeline = pipeline(of: method)
    router.registerHandler(
      forMethod: method, deserializer: PlainBytes(), serializer: PlainBytes()
    ) { request, context in
      try await pipeline.respond(to: request, context) { authorization in
        try await respond(
          Request(request: await ServerRequest(stream: request).message), authorization)
      }
    }
  }
}
