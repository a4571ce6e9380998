import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import UserDomain
import UserProtos

/// ListUsers: streams one page at a time from the store to the response.
struct ListUsers: Sendable {
  let directory: UserDirectory
  let pageTokens: PageTokenCodec
  let pipeline: MethodPipeline

  /// Registers the handler.
  func register<Transport: ServerTransport>(with router: inout RPCRouter<Transport>)
  where Transport.Bytes: FramedMessageBytes {
    router.registerHandler(
      forMethod: pipeline.descriptor, deserializer: PlainBytes(),
      serializer: UserPageSerializer<Transport.Bytes>()
    ) { request, context in
      try await self.handle(request, context)
    }
  }

  /// Answers a call on the handler road.
  func handle(
    _ request: StreamingServerRequest<[UInt8]>, _ context: ServerContext
  ) async throws -> StreamingServerResponse<UserPage> {
    try await pipeline.stream(to: request, context) { authorization in
      let request = try User_V1_ListUsersRequest(request: await ServerRequest(stream: request).message)
      return { writer in try await writePages(request, authorization, to: writer) }
    }
  }

  private func writePages(
    _ request: User_V1_ListUsersRequest, _ authorization: CallAuthorization, to writer: RPCWriter<UserPage>
  ) async throws {
    var (listing, tokens) = try await listing(for: request)
    while true {
      try Task.checkCancellation()
      try authorization.checkStillValid()
      var page = UserPage(rows: listing.pageSize)
      guard try await listing.readNextPage({ page.append($0, $1, $2) }), let last = listing.position else {
        return
      }
      if page.isEmpty {
        // Few users pass the filter. Others get their turn before the next are looked at.
        await Task.yield()
      } else {
        page.end(pageToken: tokens.token(after: last))
        try await writer.write(page)
      }
    }
  }

  private func listing(
    for request: User_V1_ListUsersRequest
  ) async throws(UserError) -> (UserListing, PageTokenCodec.Tokens) {
    var violations: [FieldViolation] = []
    if request.pageSize < 0 {
      violations.append(
        FieldViolation(field: "page_size", reason: .outOfRange, description: "must not be negative"))
    }
    var query = UserQuery(showsDeleted: request.showDeleted)
    do throws(FieldViolation) {
      query.filter = try UserFilter(parsing: request.filter)
    } catch {
      violations.append(error)
    }
    let tokens = pageTokens.tokens(filter: request.filter, showsDeleted: request.showDeleted)
    let position = request.pageToken.isEmpty ? nil : tokens.position(from: request.pageToken)
    if position == nil, !request.pageToken.isEmpty { violations.append(.foreignPageToken) }
    if !violations.isEmpty { throw .invalid(violations) }
    let pageSize = request.pageSize == 0 ? 100 : Int(request.pageSize)
    return (try await directory.listing(query, after: position, pageSize: pageSize), tokens)
  }
}
