/// Why a call has failed.
public indirect enum UserServiceError: Error, Hashable, Sendable {
  /// One field of a request that is wrong.
  public struct InvalidField: Hashable, Sendable {
    /// The field, by its name in the contract: `email`, `password`.
    public let name: String
    /// The kind of violation: `REQUIRED`, `MALFORMED`, `TOO_SHORT`, `TOO_LONG`, `FORBIDDEN_CHARACTER`,
    /// `OUT_OF_RANGE`, `TOO_COMMON`, `TOO_SIMILAR`, `ALREADY_USED`; a newer service may have more.
    public let reason: String
    /// One sentence about what is expected.
    public let description: String

    /// A field that is wrong.
    public init(name: String, reason: String, description: String) {
      self.name = name
      self.reason = reason
      self.description = description
    }
  }

  /// What is wrong with a token.
  public enum TokenProblem: Hashable, Sendable {
    /// The call was made without one.
    case missing
    /// It is not a token, not signed by an issuer that the service trusts, or not valid yet.
    case invalid
    /// Its time is over.
    case expired
    /// It was revoked: the session was ended, or the password or status of its user changed.
    case revoked
    /// It cannot be sent, and was not: what is wrong with it, as in "the token has a line break".
    case malformed(String)
  }

  /// No user has that id; which is empty for an update of a stream.
  case userNotFound(id: String)
  /// Another user has that address, in this or another letter case.
  case emailAlreadyRegistered
  /// A user to be created, or an update, is wrong: every field that is.
  case invalidUser(fields: [InvalidField])
  /// Another request is wrong: every field that is.
  case invalidRequest(fields: [InvalidField])
  /// The call's token is not accepted, or the session cannot be refreshed: sign in again.
  case unauthenticated(TokenProblem)
  /// No active user has that address and that password.
  case wrongCredentials
  /// The caller may not do that; the scope that it lacks, if one would help.
  case permissionDenied(missingScope: String?)
  /// Too many attempts on the account's password have failed in a row, from this network or device.
  case tooManyAttempts(retryAfter: Duration?)
  /// So many attempts on the account's password have failed that it may be tried no more, but from a device that has
  /// signed in before (``UserServiceClient/signIn(email:password:knownDevice:)``), until an operator ends that.
  case signInDisabled
  /// A user who changes the own address or password has to give the current password.
  case currentPasswordRequired
  /// The current password of an update is not the user's.
  case wrongCurrentPassword
  /// Too many calls from this address.
  case peerLimitExceeded(retryAfter: Duration?)
  /// A bulk call has more rows than the service takes; so many users were created, and stay. Bulk loads meet it
  /// themselves, with smaller calls.
  case tooManyRows(created: Int)
  /// The service has too much to do.
  case overloaded(retryAfter: Duration?)
  /// The service cannot be reached, or does not serve at the moment.
  case unavailable(String)
  /// The call's time is over; whether its work was done is not known.
  case deadlineExceeded
  /// The task that made the call was cancelled, or the client is at its end.
  case cancelled
  /// An update of a stream has failed: its place in the stream, from 0. Those before it are done.
  case updateFailed(index: Int, UserServiceError)
  /// Anything else: gRPC's name of the status, its message, and the id under which the service's log has it.
  case failed(status: String, message: String, errorID: String?)
}

extension UserServiceError: CustomStringConvertible {
  /// One sentence for people.
  public var description: String {
    switch self {
    case .userNotFound(let id): id.isEmpty ? "there is no such user" : "there is no user \(id)"
    case .emailAlreadyRegistered: "the address is already registered"
    case .invalidUser(let fields), .invalidRequest(let fields):
      fields.isEmpty
        ? "the request is invalid" : fields.map(Self.words(for:)).joined(separator: "; ")
    case .unauthenticated(.missing): "not signed in"
    case .unauthenticated(.invalid): "the token is not accepted"
    case .unauthenticated(.expired): "the token has expired"
    case .unauthenticated(.revoked): "the token was revoked"
    case .unauthenticated(.malformed(let problem)): "the token \(problem)"
    case .wrongCredentials: "wrong e-mail or password"
    case .permissionDenied(let scope):
      Self.isBlank(scope ?? "") ? "not permitted" : "not permitted without the scope \(scope ?? "")"
    case .tooManyAttempts(let delay): "too many failed attempts, \(Self.words(for: delay))"
    case .signInDisabled:
      "too many failed attempts: sign-in by password is disabled for this account; ask an operator"
    case .currentPasswordRequired: "this change needs the current password"
    case .wrongCurrentPassword: "the current password is wrong"
    case .peerLimitExceeded(let delay): "too many calls, \(Self.words(for: delay))"
    case .tooManyRows(let created): "too many rows in one call; \(created) users were created"
    case .overloaded(let delay): "the service has too much to do, \(Self.words(for: delay))"
    case .unavailable(let reason):
      Self.isBlank(reason) ? "the service is not available" : "the service is not available: \(reason)"
    case .deadlineExceeded: "the service did not answer in time"
    case .cancelled: "cancelled"
    case .updateFailed(let index, let error): "update \(index): \(error)"
    case .failed(let status, let message, _):
      if !Self.isBlank(message) {
        message
      } else if Self.isBlank(status) {
        "the call has failed"
      } else {
        "the call has failed with \(status)"
      }
    }
  }

  /// Whether `text` says nothing.
  private static func isBlank(_ text: String) -> Bool { text.allSatisfy(\.isWhitespace) }

  private static func words(for field: InvalidField) -> String {
    let name = isBlank(field.name) ? "a field" : field.name
    return isBlank(field.description) ? "\(name) is invalid" : "\(name) \(field.description)"
  }

  private static func words(for delay: Duration?) -> String {
    guard let delay else { return "try again later" }
    let seconds = max(delay.components.seconds + (delay.components.attoseconds > 0 ? 1 : 0), 1)
    return "try again in \(seconds) s"
  }
}
