import GRPCCore
import GRPCProtobuf
import Testing
import UserDomain

@testable import UserAPI

@Suite struct ErrorStatusTests {
  private static func storage(_ kind: StorageFault.Kind) -> UserError {
    .storage(StorageFault(kind: kind, resultCode: 1, message: "the inside"))
  }

  @Test(
    "every domain error has a status, a reason and this service's domain",
    arguments: [
      (
        .invalid([FieldViolation(field: "email", reason: .required, description: "d")]), .invalidArgument,
        .invalidRequest
      ),
      (.notFound("x"), .notFound, .userNotFound),
      (.emailAlreadyRegistered, .alreadyExists, .emailAlreadyRegistered),
      (.overloaded(retryAfter: .seconds(2)), .resourceExhausted, .overloaded),
      (.deadlineExceeded, .deadlineExceeded, .deadlineExceeded), (.cancelled, .cancelled, .cancelled),
      (.shuttingDown, .unavailable, .shuttingDown), (storage(.busy), .unavailable, .databaseBusy),
      (storage(.full), .resourceExhausted, .storageFull),
      (storage(.moved), .unavailable, .databaseReplaced),
      (storage(.notMigrated), .unavailable, .databaseNotMigrated),
      (.unauthenticated(.missing), .unauthenticated, .tokenMissing),
      (.unauthenticated(.malformed), .unauthenticated, .tokenMalformed),
      (.unauthenticated(.untrusted), .unauthenticated, .tokenUntrusted),
      (.unauthenticated(.unknownKey), .unauthenticated, .tokenUntrusted),
      (.unauthenticated(.notYetValid), .unauthenticated, .tokenNotYetValid),
      (.unauthenticated(.expired), .unauthenticated, .tokenExpired),
      (.unauthenticated(.revoked), .unauthenticated, .tokenRevoked),
      (.wrongCredentials, .unauthenticated, .credentialsInvalid),
      (.tooManyAttempts(retryAfter: .seconds(2)), .resourceExhausted, .tooManyAttempts),
      (.signInDisabled, .failedPrecondition, .signInDisabled),
      (.currentPasswordRequired, .permissionDenied, .currentPasswordRequired),
      (.wrongCurrentPassword, .permissionDenied, .currentPasswordWrong),
      (.peerLimitExceeded(retryAfter: .seconds(2)), .resourceExhausted, .peerLimitExceeded),
      (.permissionDenied(missing: .usersRead), .permissionDenied, .permissionDenied),
    ] as [(UserError, RPCError.Code, ErrorReason)])
  func table(error: UserError, code: RPCError.Code, reason: ErrorReason) throws {
    let status = try #require(GoogleRPCStatus(error))
    #expect(status.code == code)
    let info = try #require(status.details.first?.errorInfo)
    #expect(info.reason == reason.rawValue)
    #expect(info.domain == "user.v1")
    #expect(!status.message.contains("the inside"))
  }

  @Test(
    "internal failures have no status of their own",
    arguments: [
      storage(.corrupt), storage(.inputOutput), storage(.readOnly), storage(.unexpected),
      .passwordHashing("the inside"), .signing("the inside"),
    ])
  func inside(error: UserError) {
    #expect(GoogleRPCStatus(error) == nil)
  }

  @Test("every rejected token gets the same message")
  func invalidToken() throws {
    for fault in [TokenFault.missing, .malformed, .untrusted, .unknownKey, .notYetValid, .expired, .revoked] {
      #expect(GoogleRPCStatus(.unauthenticated(fault))?.message == "Invalid token")
    }
    let denied = try #require(GoogleRPCStatus(.permissionDenied(missing: [.usersRead])))
    #expect(denied.details.first?.errorInfo?.metadata == ["scope": "users:read"])
  }

  @Test(
    "an error that allows a retry says when",
    arguments: [
      .overloaded(retryAfter: .seconds(2)), .tooManyAttempts(retryAfter: .seconds(2)),
      .peerLimitExceeded(retryAfter: .seconds(2)),
    ] as [UserError])
  func retryInfo(error: UserError) throws {
    let status = try #require(GoogleRPCStatus(error))
    #expect(status.details.compactMap(\.retryInfo).first?.delay == .seconds(2))
  }

  @Test("reasons follow AIP-193")
  func reasons() {
    for reason in ErrorReason.allCases {
      #expect(reason.rawValue.wholeMatch(of: /[A-Z][A-Z0-9_]+[A-Z0-9]/) != nil)
      #expect(reason.rawValue.count <= 63)
    }
  }
}
