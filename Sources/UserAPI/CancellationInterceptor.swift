public import GRPCCore

/// Turns gRPC's way to say that a call is over, the call's cancellation handle, into Swift's, the task's
/// cancellation: once, for every handler.
///
/// A call is over when its client cancels it, disconnects or passes its deadline. Handlers only have to be good
/// citizens of Swift concurrency; everything they await (the writer's queue, the hashing pool, the response's
/// window) ends at once when their task is cancelled.
public struct CancellationInterceptor: ServerInterceptor {
  private let isDraining: @Sendable () -> Bool

  /// The interceptor, which goes innermost.
  ///
  /// - Parameter isDraining: whether the server is shutting down gracefully. The transport signals that through
  ///   the same handles, to calls that are permitted to finish. From then on a client that goes is noticed only when
  ///   the call reads or writes; deadlines hold.
  public init(isDraining: @escaping @Sendable () -> Bool) {
    self.isDraining = isDraining
  }

  /// Runs the handler, and then its stream of responses, each in a task that is cancelled with the call.
  public func intercept<Input: Sendable, Output: Sendable>(
    request: StreamingServerRequest<Input>, context: ServerContext,
    next:
      @concurrent @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
      StreamingServerResponse<Output>
  ) async throws -> StreamingServerResponse<Output> {
    let deadline = CallDeadline(request.metadata)
    let response = try await withoutActuallyEscaping(next) { next in
      try await untilCancelled(deadline) { try await next(request, context) }
    }
    return response.wrappingProducer { writer, produce in
      let writer = RPCWriter(wrapping: PeerWriter(base: writer))
      return try await untilCancelled(deadline) { try await produce(writer) }
    }
  }

  private func untilCancelled<Value: Sendable>(
    _ deadline: CallDeadline, _ body: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    let task = Task { try await body() }
    // Waits for the task's end in any case, so `body` does not outlive this call.
    return try await withTaskCancellationHandler {
      try await withRPCCancellationHandler {
        try await task.value
      } onCancelRPC: {
        if !isDraining() || deadline.hasPassed {
          task.cancel()
        } else if let instant = deadline.instant {
          // The signal comes once, and was spent on the drain: the deadline is left to us.
          Task {
            try await Task.sleep(until: instant, clock: .continuous)
            task.cancel()
          }
        }
      }
    } onCancel: {
      task.cancel()
    }
  }
}

extension StreamingServerResponse {
  /// Writes messages, and produces the trailing metadata.
  typealias Producer = @concurrent @Sendable (RPCWriter<Message>) async throws -> Metadata

  /// The response with `wrap` around the production of its messages; an error as it is.
  func wrappingProducer(
    _ wrap:
      @escaping @Sendable (_ writer: RPCWriter<Message>, _ produce: @escaping Producer) async throws ->
      Metadata
  ) -> StreamingServerResponse<Message> {
    StreamingServerResponse(
      accepted: accepted.map { contents in
        var contents = contents
        let producer = contents.producer
        contents.producer = { writer in try await wrap(writer, producer) }
        return contents
      })
  }
}

/// Writes to a peer, whose going away is a cancellation and no failure of ours, whatever the transport throws.
private struct PeerWriter<Element: Sendable>: RPCWriterProtocol {
  let base: RPCWriter<Element>

  @concurrent func write(_ element: Element) async throws {
    do {
      try await base.write(element)
    } catch {
      throw Self.cancellation(unless: error)
    }
  }

  @concurrent func write(contentsOf elements: some Sequence<Element>) async throws {
    do {
      try await base.write(contentsOf: elements)
    } catch {
      throw Self.cancellation(unless: error)
    }
  }

  /// gRPC's own errors, such as a message that is too large, stay what they are.
  private static func cancellation(unless error: any Error) -> any Error {
    error is RPCError ? error : CancellationError()
  }
}
