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
    "failures of the inside have no status of their own",
    arguments: [
      storage(.corrupt), storage(.inputOutput), storage(.readOnly), storage(.unexpected),
      .passwordHashing("the inside"),
    ])
  func inside(error: UserError) {
    #expect(GoogleRPCStatus(error) == nil)
  }

  @Test("what can be tried again says when")
  func retryInfo() throws {
    let status = try #require(GoogleRPCStatus(.overloaded(retryAfter: .seconds(2))))
    #expect(status.details.compactMap(\.retryInfo).first?.delay == .seconds(2))
  }

  @Test("reasons are as AIP-193 asks")
  func reasons() {
    for reason in ErrorReason.allCases {
      #expect(reason.rawValue.wholeMatch(of: /[A-Z][A-Z0-9_]+[A-Z0-9]/) != nil)
      #expect(reason.rawValue.count <= 63)
    }
  }
}
