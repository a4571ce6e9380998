import GRPCCore

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
