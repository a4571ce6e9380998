import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import Synchronization
import TestSupport
import Testing
import UserDomain
import UserProtos

@testable import UserAPI

@Suite(.timeLimit(.minutes(10))) struct HealthHandlerTests {
  private final class Database: Sendable {
    let answers = Mutex(true)
  }

  private let database = Database()
  private let monitor: HealthMonitor
  private let handler: HealthHandler
  private let caller = CallAuthorization(nil, peer: "ipv4:192.0.2.1:7")

  init() async throws {
    monitor = await HealthMonitor(services: ["user.v1.UserService"]) { [database] in
      database.answers.withLock { $0 }
    }
    handler = try HealthHandler(monitor: monitor, calls: .test())
  }

  private func check(_ service: String) async throws -> Grpc_Health_V1_HealthCheckResponse.ServingStatus {
    try await handler.check(.with { $0.service = service }, by: caller).status
  }

  /// Watches `service`, and reports each response and the end to a test.
  private func watch(_ service: String) throws -> (told: WrittenMessages<[UInt8]>, end: Task<Void, any Error>)
  {
    let told = WrittenMessages<[UInt8]>()
    let request = Grpc_Health_V1_HealthCheckRequest.with { $0.service = service }
    let call = HandlerCall(handler.watch.descriptor, messages: [try request.serializedBytes()])
    let task = Task {
      try await handler.watch.handle(call.request, call.context).write(to: told)
    }
    return (told, task)
  }

  @Test(
    "each service, and the server, serve while the database answers", arguments: ["", "user.v1.UserService"])
  func check(service: String) async throws {
    #expect(try await check(service) == .serving)
    database.answers.withLock { $0 = false }
    #expect(try await check(service) == .notServing)
  }

  @Test("an unknown service is NOT_FOUND")
  func unknown() async {
    let error = await #expect(throws: GoogleRPCStatus.self) { try await check("user.v2.UserService") }
    #expect(error?.code == .notFound)
  }

  @Test("a list names the server and each service")
  func list() async throws {
    let list = try await handler.list(.init(), by: caller)
    #expect(list.statuses.mapValues(\.status) == ["": .serving, "user.v1.UserService": .serving])
  }

  @Test("a watch receives each change, and ends as UNAVAILABLE when the server drains")
  func watch() async throws {
    let (told, end) = try watch("user.v1.UserService")
    try await eventually("the watch receives the current state") { try told.statuses == [.serving] }
    database.answers.withLock { $0 = false }
    await monitor.refresh()
    try await eventually("the watch receives the change") { try told.statuses == [.serving, .notServing] }
    monitor.drain()
    #expect(await #expect(throws: RPCError.self) { try await end.value }?.code == .unavailable)
    #expect(try told.statuses.first == .serving && told.statuses.last == .notServing)
    #expect(monitor.watcherCount == 0)
  }

  @Test("a watch of an unknown service is told so, and receives nothing else")
  func watchUnknown() async throws {
    let (told, end) = try watch("nobody")
    try await eventually("the watch has begun") { monitor.watcherCount == 1 }
    database.answers.withLock { $0 = false }
    await monitor.refresh()
    monitor.drain()
    #expect(await #expect(throws: RPCError.self) { try await end.value }?.code == .unavailable)
    #expect(try told.statuses == [.serviceUnknown])
  }

  @Test("a watch whose client disconnects ends as cancelled, and is forgotten")
  func cancelled() async throws {
    let (told, end) = try watch("")
    try await eventually("the watch has begun") { try told.statuses == [.serving] }
    end.cancel()
    #expect(await #expect(throws: RPCError.self) { try await end.value }?.code == .cancelled)
    try await eventually("the watch is forgotten") { monitor.watcherCount == 0 }
  }
}

extension WrittenMessages<[UInt8]> {
  /// The responses of a watch.
  fileprivate var statuses: [Grpc_Health_V1_HealthCheckResponse.ServingStatus] {
    get throws { try all.map { try Grpc_Health_V1_HealthCheckResponse(serializedBytes: $0).status } }
  }
}
