import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import UserDomain
import UserProtos

/// ExportUsers: streams every user, as ImportUsers takes it.
struct ExportUsers: Sendable {
  /// The number of users that are read at a time.
  private static let pageSize = 200

  let directory: UserDirectory
  let tokens: PageTokenCodec.Tokens
  let pipeline: MethodPipeline

  /// Registers the handler.
  func register<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(
      forMethod: pipeline.descriptor, deserializer: PlainBytes(), serializer: PlainBytes()
    ) { request, context in
      try await self.handle(request, context)
    }
  }

  /// Answers a call on the handler road.
  func handle(
    _ request: StreamingServerRequest<[UInt8]>, _ context: ServerContext
  ) async throws -> StreamingServerResponse<[UInt8]> {
    try await pipeline.stream(to: request, context) { authorization in
      let request = try User_V1_ExportUsersRequest(request: await ServerRequest(stream: request).message)
      if request.passwordHashes { try authorization.caller.principal.require(.usersExportHashes) }
      return { writer in try await writePages(request, authorization, to: writer) }
    }
  }

  private func writePages(
    _ request: User_V1_ExportUsersRequest, _ authorization: CallAuthorization, to writer: RPCWriter<[UInt8]>
  ) async throws {
    let position = request.pageToken.isEmpty ? nil : tokens.position(from: request.pageToken)
    if position == nil, !request.pageToken.isEmpty { throw UserError.invalid([.foreignPageToken]) }
    var listing = try await directory.listing(
      UserQuery(showsDeleted: true), after: position, pageSize: Self.pageSize)
    while true {
      try Task.checkCancellation()
      try authorization.checkStillValid()
      guard let page = try await listing.nextPage(), let end = listing.position else { return }
      // Users that do not belong here may fill a page that the walk leads to.
      if page.isEmpty { await Task.yield() }
      let hashes =
        request.passwordHashes ? try await directory.repository.passwordHashes(of: page.map(\.id)) : [:]
      for (index, user) in page.enumerated() {
        var row = User_V1_ImportUserRequest(user, hashes[user.id])
        if index == page.count - 1 { row.pageToken = tokens.token(after: end) }
        try await writer.write(row.serializedBytes())
      }
    }
  }
}
