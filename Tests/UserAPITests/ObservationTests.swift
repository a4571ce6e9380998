import GRPCCore
import GRPCProtobuf
import Logging
import PrometheusMetrics
import TestSupport
import Testing
import UserDomain

@testable import UserAPI

/// The records of calls in the log and the metrics.
@Suite struct ObservationTests {
  private static let method = MethodDescriptor(
    fullyQualifiedService: "user.v1.UserService", method: "GetUser")

  private let log = RecordedLog()

  private func record(
    _ metadata: Metadata = [:], peer: String = "ipv4:192.0.2.1:50000"
  ) throws -> CallRecord {
    CallRecord(metadata, method: Self.method, peer: peer, try #require(CallLog(log.logger())))
  }

  @Test("a logger above level info makes no log", arguments: Logger.Level.allCases)
  func level(level: Logger.Level) {
    #expect((CallLog(log.logger(level)) != nil) == (level <= .info))
  }

  @Test("a call is one line, with its caller and its end")
  func line() throws {
    let record = try record(["x-request-id": "order-7"])
    record.principal = Principal(subject: "billing", scopes: .usersRead)
    record.ended(nil, after: .microseconds(1_234))
    #expect(log.lines.map(\.level) == [.info])
    #expect(log.lines.map(\.message) == ["call"])
    #expect(
      log.lines.map(\.metadata) == [
        [
          "method": "user.v1.UserService/GetUser", "status": "ok", "duration_ms": "1.23",
          "peer": "ipv4:192.0.2.1:50000", "principal": "billing", "request_id": "order-7",
        ]
      ])
  }

  @Test("a failed call has its status, and the reason that its client got")
  func failure() throws {
    let status = GoogleRPCStatus(
      code: .notFound, message: "x",
      details: [.errorInfo(ErrorDetails.ErrorInfo(reason: "USER_NOT_FOUND", domain: "user.v1"))])
    try record().ended(RPCError(status), after: .zero)
    try record().ended(RPCError(code: .unknown, message: "x"), after: .zero)
    #expect(log.lines.map(\.metadata["status"]) == ["notFound", "unknown"])
    #expect(log.lines.map(\.metadata["reason"]) == ["USER_NOT_FOUND", nil])
    #expect(log.lines.allSatisfy { $0.metadata["principal"] == "anonymous" })
  }

  @Test(
    "a request id that could forge a line is replaced by a random one",
    arguments: ["", "a b", "a\nb", "a=b", "ü", String(repeating: "x", count: 65)])
  func requestID(given: String) throws {
    try record(["x-request-id": .string(given)]).ended(nil, after: .zero)
    let id = try #require(log.lines.first?.metadata["request_id"])
    #expect(id != given)
    #expect(id.wholeMatch(of: /[0-9a-f]{16}/) != nil)
  }

  @Test("a request id of 64 plain characters is kept")
  func longRequestID() throws {
    let id = String(repeating: "aZ0.-_", count: 10) + "abcd"
    try record(["x-request-id": .string(id)]).ended(nil, after: .zero)
    #expect(log.lines.first?.metadata["request_id"] == id)
  }

  @Test("a subject is shown without characters that a terminal or the log's format interprets")
  func subject() throws {
    let record = try record()
    record.principal = Principal(subject: "a b\n\u{1B}[31mü", scopes: [])
    record.ended(nil, after: .zero)
    #expect(log.lines.first?.metadata["principal"] == "a?b??[31m?")
  }

  @Test("calls are counted when they begin, and timed by their status when they end")
  func metrics() {
    let registry = PrometheusRegistry(help: CallMetrics.help)
    let method = CallMetrics(factory: registry).metrics(of: Self.method, isInline: false)
    for _ in 0..<3 { method.callStarted(inline: false) }
    method.callEnded(.ok, after: .milliseconds(4))
    method.callEnded(.notFound, after: .milliseconds(2))
    let lines = registry.text().split(separator: "\n").filter { !$0.contains("_bucket{") }
    #expect(
      lines.contains(#"grpc_server_call_started_total{grpc_method="user.v1.UserService/GetUser"} 3"#),
      "\(lines)")
    for (status, seconds) in [("OK", "0.004"), ("NOT_FOUND", "0.002")] {
      let labels = #"{grpc_method="user.v1.UserService/GetUser",grpc_status="\#(status)"}"#
      #expect(lines.contains { $0 == "grpc_server_call_duration_seconds_count\(labels) 1" }, "\(lines)")
      #expect(
        lines.contains { $0 == "grpc_server_call_duration_seconds_sum\(labels) \(seconds)" }, "\(lines)")
    }
  }

  @Test(
    "a status has its name in gRPC",
    arguments: [(Status.Code.ok, "OK"), (.cancelled, "CANCELLED"), (.unauthenticated, "UNAUTHENTICATED")])
  func name(code: Status.Code, name: String) {
    #expect(code.canonicalName == name)
  }
}
