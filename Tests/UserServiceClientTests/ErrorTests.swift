import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import Testing
import UserDomain
import UserProtos

@testable import UserAPI
@testable import UserServiceClient

/// The mapping from the service's errors to statuses, and the client's mapping back.
@Suite struct ErrorTests {
  private static let field = FieldViolation(
    field: "email", reason: .required, description: "must not be empty")
  private static let invalidField = UserServiceError.InvalidField(
    name: "email", reason: "REQUIRED", description: "must not be empty")

  private static let table: [(UserError, UserServiceError)] = [
    (.invalid([field]), .invalidUser(fields: [invalidField])), (.notFound("7"), .userNotFound(id: "7")),
    (.emailAlreadyRegistered, .emailAlreadyRegistered),
    (.overloaded(retryAfter: .seconds(2)), .overloaded(retryAfter: .seconds(2))),
    (.deadlineExceeded, .deadlineExceeded), (.cancelled, .cancelled),
    (.shuttingDown, .unavailable("The service is shutting down")),
    (.storage(StorageFault(kind: .busy, resultCode: 5, message: "")), .unavailable("The database is busy")),
    (
      .storage(StorageFault(kind: .full, resultCode: 13, message: "")),
      .failed(status: "resourceExhausted", message: "The disk is full", errorID: nil)
    ),
    (.unauthenticated(.missing), .unauthenticated(.missing)),
    (.unauthenticated(.malformed), .unauthenticated(.invalid)),
    (.unauthenticated(.untrusted), .unauthenticated(.invalid)),
    (.unauthenticated(.notYetValid), .unauthenticated(.invalid)),
    (.unauthenticated(.expired), .unauthenticated(.expired)),
    (.unauthenticated(.revoked), .unauthenticated(.revoked)), (.wrongCredentials, .wrongCredentials),
    (.tooManyAttempts(retryAfter: .seconds(1)), .tooManyAttempts(retryAfter: .seconds(1))),
    (.signInDisabled, .signInDisabled), (.currentPasswordRequired, .currentPasswordRequired),
    (.wrongCurrentPassword, .wrongCurrentPassword),
    (.peerLimitExceeded(retryAfter: .seconds(3)), .peerLimitExceeded(retryAfter: .seconds(3))),
    (.permissionDenied(missing: .usersRead), .permissionDenied(missingScope: "users:read")),
    (.permissionDenied(missing: []), .permissionDenied(missingScope: nil)),
  ]

  /// Returns the error that a client receives for a status.
  private static func received(_ status: GoogleRPCStatus) -> RPCError {
    var error = RPCError(status)
    error.cause = nil
    return error
  }

  @Test("the client throws the service's errors, for calls and for rows", arguments: table.indices)
  func errors(index: Int) throws {
    let (sent, thrown) = Self.table[index]
    let status = try #require(GoogleRPCStatus(sent))
    #expect(UserServiceError(Self.received(status), .change(userID: "7")) == thrown)
    let bytes: [UInt8] = try status.serializedBytes()
    if case .userNotFound = thrown { return }
    #expect(UserServiceError(try Google_Rpc_Status(serializedBytes: bytes)) == thrown)
  }

  @Test("an internal error has its id in the log, and too many rows the number of stored ones")
  func others() {
    #expect(
      UserServiceError(Self.received(.unexpected(errorID: "abc")))
        == .failed(status: "internalError", message: "Internal error abc", errorID: "abc"))
    #expect(
      UserServiceError(Self.received(.tooManyRows(limit: 5, stored: 4))) == .tooManyRows(created: 4)
    )
    #expect(
      UserServiceError(Self.received(GoogleRPCStatus(UserError.invalid([Self.field]))!))
        == .invalidRequest(fields: [Self.invalidField]))
  }

  @Test(
    "errors that share a status are distinguished by their reasons",
    arguments: [
      (RPCError.Code.alreadyExists, "USER_ID_TAKEN", UserServiceError.userIDTaken),
      (.alreadyExists, "USER_NOT_DELETED", .userNotDeleted), (.aborted, "ETAG_MISMATCH", .etagMismatch),
      (.alreadyExists, "EMAIL_ALREADY_REGISTERED", .emailAlreadyRegistered),
    ])
  func reasons(code: RPCError.Code, reason: String, thrown: UserServiceError) {
    let status = GoogleRPCStatus(
      code: code, message: "", details: [.errorInfo(reason: reason, domain: "user.v1", metadata: [:])])
    #expect(UserServiceError(Self.received(status)) == thrown)
    #expect(!thrown.description.contains("UserServiceError"))
  }

  @Test("a row without details is mapped by its status")
  func withoutDetails() {
    #expect(UserServiceError(.with { $0.code = 6 }) == .emailAlreadyRegistered)
    #expect(UserServiceError(.with { $0.code = 3 }) == .invalidUser(fields: []))
    #expect(UserServiceError(.with { $0.code = 99 }) == .failed(status: "unknown", message: "", errorID: nil))
  }

  @Test("every description is one line", arguments: table.indices)
  func descriptions(index: Int) {
    let text = Self.table[index].1.description
    #expect(!text.isEmpty && !text.contains("\n") && !text.contains("UserServiceError"))
  }

  @Test("a response that cannot be decoded is the service's failure, not the request's")
  func undecodable() {
    let error = #expect(throws: RPCError.self) {
      _ = try ProtobufDeserializer<User_V1_User>().deserialize([0xFF, 0xFF])
    }
    guard let error else { return }
    for subject in [UserServiceError.Subject.user(id: "7"), .change(), .other] {
      guard case .failed("internalError", let message, nil) = UserServiceError(error, subject) else {
        Issue.record("\(UserServiceError(error, subject))")
        continue
      }
      #expect(message == "the service sent a message that cannot be decoded")
    }
    // The same status sent by the service is about the request.
    let sent = RPCError(code: .invalidArgument, message: "")
    #expect(UserServiceError(sent) == .invalidRequest(fields: []))
  }

  @Test(
    "an error without a message from the service has a description",
    arguments: [
      (.unavailable(""), "the service is not available"), (.unavailable(" "), "the service is not available"),
      (.failed(status: "dataLoss", message: "", errorID: nil), "the call failed with dataLoss"),
      (.failed(status: "", message: "", errorID: nil), "the call failed"),
      (.invalidRequest(fields: []), "the request is invalid"),
      (.invalidUser(fields: [.init(name: "email", reason: "", description: "")]), "email is invalid"),
      (.permissionDenied(missingScope: ""), "not permitted"),
      (.updateFailed(index: 3, .unavailable("")), "update 3: the service is not available"),
    ] as [(UserServiceError, String)])
  func withoutWords(error: UserServiceError, words: String) {
    #expect(error.description == words)
  }

  @Test("the message comes from the last informative error in a chain of causes")
  func causes() {
    let bottom = RPCError(code: .unknown, message: "")
    let error = RPCError(code: .unavailable, message: "the channel is not ready", cause: bottom)
    #expect(UserServiceError(error) == .unavailable("the channel is not ready"))
  }
}
