import GRPCCore
import UserDomain

/// What the running call's bearer may do, for handlers to ask.
struct CallAuthorization: Sendable {
  /// The running call's, from its authorization on: handlers read it before they suspend or answer.
  @TaskLocal static var current = CallAuthorization(principal: .anonymous)

  /// Who calls.
  let principal: Principal
  /// Whose authority it writes on; nil for a service.
  let authority: WriteAuthority?
  private let check: (@Sendable () throws(UserError) -> Void)?

  /// A call without a token.
  init(principal: Principal) {
    self.principal = principal
    authority = nil
    check = nil
  }

  /// A call with a token, which has to pass `check` as long as the call goes on.
  init(
    principal: Principal, authority: WriteAuthority?, check: @escaping @Sendable () throws(UserError) -> Void
  ) {
    self.principal = principal
    self.authority = authority
    self.check = check
  }

  /// Checks again, in the course of a stream, that the token is still good: not expired, not revoked, and its
  /// key still trusted.
  ///
  /// - Throws: `UserError.unauthenticated`.
  func checkStillGood() throws(UserError) {
    try check?()
  }
}
