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

  /// Keeps what a watch is told.
  private final class Told: RPCWriterProtocol {
    private let statuses = Mutex<[Grpc_Health_V1_HealthCheckResponse.ServingStatus]>([])

    var all: [Grpc_Health_V1_HealthCheckResponse.ServingStatus] { statuses.withLock { $0 } }

    @concurrent func write(_ element: Grpc_Health_V1_HealthCheckResponse) async throws {
      statuses.withLock { $0.append(element.status) }
    }

    @concurrent func write(
      contentsOf elements: some Sequence<Grpc_Health_V1_HealthCheckResponse>
    ) async throws {
      for element in elements { try await write(element) }
    }
  }

  private let database = Database()
  private let monitor: HealthMonitor
  private let handler: HealthHandler

  init() {
    monitor = HealthMonitor(services: ["user.v1.UserService"]) { [database] in
      database.answers.withLock { $0 }
    }
    handler = HealthHandler(monitor: monitor)
  }

  private func check(_ service: String) async throws -> Grpc_Health_V1_HealthCheckResponse.ServingStatus {
    try await handler.check(
      request: .with { $0.service = service }, context: .test(Grpc_Health_V1_Health.Method.Check.descriptor)
    ).status
  }

  /// Watches `service`, and tells a test of what it is told and of its end.
  private func watch(_ service: String) -> (told: Told, end: Task<Void, any Error>) {
    let told = Told()
    let task = Task {
      try await handler.watch(
        request: .with { $0.service = service }, response: RPCWriter(wrapping: told),
        context: .test(Grpc_Health_V1_Health.Method.Watch.descriptor))
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

  @Test("a service that is not here is NOT_FOUND")
  func unknown() async {
    let error = await #expect(throws: GoogleRPCStatus.self) { try await check("user.v2.UserService") }
    #expect(error?.code == .notFound)
  }

  @Test("a list names the server and each service")
  func list() async throws {
    let list = try await handler.list(
      request: .init(), context: .test(Grpc_Health_V1_Health.Method.List.descriptor))
    #expect(list.statuses.mapValues(\.status) == ["": .serving, "user.v1.UserService": .serving])
  }

  @Test("a watch is told of each change, and ends as UNAVAILABLE when the server drains")
  func watch() async throws {
    let (told, end) = watch("user.v1.UserService")
    try await eventually("the watch is told of the present") { told.all == [.serving] }
    database.answers.withLock { $0 = false }
    monitor.refresh()
    try await eventually("the watch is told of the change") { told.all == [.serving, .notServing] }
    monitor.drain()
    await #expect(throws: UserError.shuttingDown) { try await end.value }
    #expect(told.all.first == .serving && told.all.last == .notServing)
    #expect(monitor.watcherCount == 0)
  }

  @Test("a watch of a service that is not here is told so, and of nothing else")
  func watchUnknown() async throws {
    let (told, end) = watch("nobody")
    try await eventually("the watch has begun") { monitor.watcherCount == 1 }
    database.answers.withLock { $0 = false }
    monitor.refresh()
    monitor.drain()
    await #expect(throws: UserError.shuttingDown) { try await end.value }
    #expect(told.all == [.serviceUnknown])
  }

  @Test("a watch whose client goes ends as cancelled, and is forgotten")
  func cancelled() async throws {
    let (told, end) = watch("")
    try await eventually("the watch has begun") { told.all == [.serving] }
    end.cancel()
    await #expect(throws: CancellationError.self) { try await end.value }
    try await eventually("the watch is forgotten") { monitor.watcherCount == 0 }
  }
}
