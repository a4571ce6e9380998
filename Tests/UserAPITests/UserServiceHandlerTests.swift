import GRPCCore
import GRPCInProcessTransport
import PasswordHashing
import SwiftProtobuf
import TestSupport
import Testing
import UserDomain
import UserProtos
import UserStore

@testable import UserAPI

/// The handler behind a server in the process of the tests, over the real store.
@Suite(.tags(.io), .timeLimit(.minutes(10))) struct UserServiceHandlerTests {
  private typealias Client = User_V1_UserService.Client<InProcessTransport.Client>

  private let key = [UInt8](repeating: 7, count: 32)

  /// Runs `body` with a client of a service whose calls are `caller`'s.
  private func withClient(
    as caller: Principal = .unrestricted, _ body: @escaping @Sendable (Client) async throws -> Void
  ) async throws {
    let directory = UserDirectory(
      repository: try SQLiteUserRepository(.inMemory), hasher: try Argon2idHasher())
    let handler = UserServiceHandler(
      directory: directory, pageTokens: PageTokenCodec(key: key), defaultCaller: caller)
    let errors = ErrorInterceptor(ErrorMapper(logger: RecordedLog().logger()), cause: { _ in .client })
    let transport = InProcessTransport()
    try await withGRPCServer(transport: transport.server, services: [handler], interceptors: [errors]) { _ in
      try await withGRPCClient(transport: transport.client) { client in
        try await body(Client(wrapping: client))
      }
    }
  }

  private func code(_ body: () async throws -> Void) async -> RPCError.Code? {
    await #expect(throws: RPCError.self) { try await body() }?.code
  }

  @Test("a user that is created is answered as it is stored")
  func createAndGet() async throws {
    try await withClient { client in
      let ada = try await client.createUser(.with { ($0.email, $0.name) = (" Ada@example.com", "Ada") })
      #expect(ada.email == "Ada@example.com" && ada.name == "Ada" && ada.status == .active)
      let found = try await client.getUser(.with { $0.userID = ada.id })
      #expect(found == ada)
    }
  }

  @Test(
    "an unknown user is NOT_FOUND, an address that is taken ALREADY_EXISTS, and a bad one INVALID_ARGUMENT")
  func errors() async throws {
    try await withClient { client in
      _ = try await client.createUser(.with { $0.email = "ada@example.com" })
      let codes = [
        await code { _ = try await client.getUser(.with { $0.userID = "nobody" }) },
        await code { _ = try await client.createUser(.with { $0.email = "ADA@example.com" }) },
        await code { _ = try await client.createUser(.with { $0.email = "ada" }) },
      ]
      #expect(codes == [.notFound, .alreadyExists, .invalidArgument])
    }
  }

  @Test("a caller without scopes may read itself and nobody else")
  func permission() async throws {
    try await withClient(as: Principal(subject: "01a20e13-53dc-756f-b844-595a9b132cb5", scopes: [])) {
      client in
      let own = await code {
        _ = try await client.getUser(.with { $0.userID = "01a20e13-53dc-756f-b844-595a9b132cb5" })
      }
      let other = await code {
        _ = try await client.getUser(.with { $0.userID = "01a20e13-53dc-756f-b844-595a9b132cb6" })
      }
      #expect([own, other] == [.notFound, .permissionDenied])
    }
  }

  @Test("rows and updates go to the store in their order")
  func streams() async throws {
    try await withClient { client in
      let response = try await client.bulkCreateUsers { writer in
        for name in ["ada", "", "bob"] { try await writer.write(.with { $0.email = "\(name)@example.com" }) }
      }
      #expect(response.createdCount == 2 && response.failures.map(\.index) == [1])
      let ids = response.userIds
      let updated = try await client.userUpdates { writer in
        for id in ids { try await writer.write(.with { ($0.userID, $0.name) = (id, "renamed") }) }
      } onResponse: { response in
        try await response.messages.reduce(into: [User_V1_User]()) { $0.append($1) }
      }
      #expect(updated.map(\.id) == ids)
      #expect(updated.allSatisfy { $0.name == "renamed" })
    }
  }
}
