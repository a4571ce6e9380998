public import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import UserDomain
import UserProtos

/// Watch of the health service, on the handler road or the inline road. On the inline road a call has no task; only its
/// response side is kept.
public final class HealthWatch: Sendable {
  private let monitor: HealthMonitor
  private let pipeline: MethodPipeline
  private let serving: [UInt8]
  private let notServing: [UInt8]
  private let unknown: [UInt8]

  /// Creates the watch of the services that `monitor` covers.
  init(monitor: HealthMonitor, pipeline: MethodPipeline) throws {
    self.monitor = monitor
    self.pipeline = pipeline
    serving = try Self.response(.serving)
    notServing = try Self.response(.notServing)
    unknown = try Self.response(.serviceUnknown)
  }

  private static func response(
    _ status: Grpc_Health_V1_HealthCheckResponse.ServingStatus
  ) throws -> [UInt8] {
    try Grpc_Health_V1_HealthCheckResponse.with { $0.status = status }.serializedBytes()
  }

  /// The method.
  public var descriptor: MethodDescriptor { pipeline.descriptor }

  // MARK: The inline road

  /// Takes `call` and returns true. Or returns false without doing anything: then its handler must answer it.
  public func accept<Call: InlineStreamingCall & ~Copyable>(_ call: borrowing Call) -> Bool {
    // The handler refuses a request that cannot be decoded, and a caller that may not watch.
    guard let request = try? Grpc_Health_V1_HealthCheckRequest(serializedBytes: Array(call.message)),
      case .permit = pipeline.gate.decide(known: nil, from: call.remotePeer)
    else { return false }
    let observed = pipeline.observer.arrived(call.metadata, peer: call.remotePeer)
    observed.started(inline: true)
    let responses = call.responses
    let isKnown = monitor.speaks(for: request.service)
    if !isKnown { responses.send(unknown) }
    let watch = monitor.watch { [serving, notServing, pipeline] state in
      switch state {
      case .serves(let isServing):
        if isKnown { responses.send(isServing ? serving : notServing) }
      case .drained:
        responses.end(pipeline.fail(observed, UserError.shuttingDown, cause: .shutdown))
      }
    }
    let cause = call.cause
    call.whenCancelled { [monitor, pipeline] in
      // A drain forgets the watch, and tells its end, before this runs.
      guard let watch, monitor.forget(watch) else { return }
      _ = pipeline.fail(observed, CancellationError(), cause: cause())
    }
    return true
  }

  // MARK: The handler's road

  /// Registers the handler.
  func register<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(
      forMethod: descriptor, deserializer: PlainBytes(), serializer: PlainBytes()
    ) { request, context in
      try await self.handle(request, context)
    }
  }

  /// Answers a call on the handler road.
  func handle(
    _ request: StreamingServerRequest<[UInt8]>, _ context: ServerContext
  ) async throws -> StreamingServerResponse<[UInt8]> {
    try await pipeline.stream(to: request, context) { _ in
      let request = try Grpc_Health_V1_HealthCheckRequest(
        request: await ServerRequest(stream: request).message)
      return { writer in try await self.write(request.service, to: writer) }
    }
  }

  private func write(_ service: String, to writer: RPCWriter<[UInt8]>) async throws {
    let isKnown = monitor.speaks(for: service)
    if !isKnown { try await writer.write(unknown) }
    for await isServing in monitor.watch() where isKnown {
      try await writer.write(isServing ? serving : notServing)
    }
    // The watch ended because the client disconnected or the server drains.
    try Task.checkCancellation()
    throw UserError.shuttingDown
  }
}
