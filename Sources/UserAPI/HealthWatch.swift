public import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import UserDomain
import UserProtos

/// Watch of the health service, for the two roads that a call may take: the handler's and the inline one. On that one a
/// call has no task: what is kept of it is where to tell of changes.
public final class HealthWatch: Sendable {
  private let monitor: HealthMonitor
  private let pipeline: MethodPipeline
  private let serving: [UInt8]
  private let notServing: [UInt8]
  private let unknown: [UInt8]

  /// Watch of the services that `monitor` speaks for.
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

  /// Takes `call` and returns true, or returns false and has done nothing: its handler is to be asked.
  public func accept<Call: InlineStreamingCall & ~Copyable>(_ call: borrowing Call) -> Bool {
    // A request that cannot be decoded is the handler's to refuse, and so is a caller who may not watch.
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
      // At drain the watch is forgotten, and its end told, before this.
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

  /// Answers a handler's call.
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
    // The watch has ended because the client has gone or because the server drains.
    try Task.checkCancellation()
    throw UserError.shuttingDown
  }
}
