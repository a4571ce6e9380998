/// The reason why a call has failed.
public indirect enum UserServiceError: Error, Hashable, Sendable {
  /// An invalid field of a request.
  public struct InvalidField: Hashable, Sendable {
    /// The field's name in the contract: `email`, `password`.
    public let name: String
    /// The kind of violation: `REQUIRED`, `MALFORMED`, `TOO_SHORT`, `TOO_LONG`, `FORBIDDEN_CHARACTER`,
    /// `OUT_OF_RANGE`, `TOO_COMMON`, `TOO_SIMILAR`, `ALREADY_USED`; a newer service may have more.
    public let reason: String
    /// The requirement on the field, in one sentence.
    public let description: String

    /// Creates an invalid field.
    public init(name: String, reason: String, description: String) {
      self.name = name
      self.reason = reason
      self.description = description
    }
  }

  /// The problem of a token.
  public enum TokenProblem: Hashable, Sendable {
    /// The call was made without a token.
    case missing
    /// The token is malformed, not signed by a trusted issuer, or not valid yet.
    case invalid
    /// The token has expired.
    case expired
    /// The token was revoked: its session was ended, or the password or status of its user changed.
    case revoked
    /// The token cannot be sent. The problem completes "the token …", as in "the token contains a line break".
    case malformed(String)
  }

  /// No user has this id, or address, or it is deleted. The id is empty for an update in a stream.
  case userNotFound(id: String)
  /// No users have these ids, or they are deleted: the first of those that were asked for together.
  case usersNotFound(ids: [String])
  /// Another user has this address, possibly in another letter case.
  case emailAlreadyRegistered
  /// Another user has the id of an imported row.
  case userIDTaken
  /// The user to be undeleted is not deleted.
  case userNotDeleted
  /// The user has changed since its etag was read.
  case etagMismatch
  /// A user or an update is invalid; lists every invalid field.
  case invalidUser(fields: [InvalidField])
  /// Another request is invalid; lists every invalid field.
  case invalidRequest(fields: [InvalidField])
  /// The call's token was refused, or the session cannot be refreshed; sign in again.
  case unauthenticated(TokenProblem)
  /// No active user has this address and password.
  case wrongCredentials
  /// The caller lacks permission; names the scope that would grant it, if any.
  case permissionDenied(missingScope: String?)
  /// Too many consecutive attempts at the account's password have failed from this network or device.
  case tooManyAttempts(retryAfter: Duration?)
  /// Too many attempts at the account's password have failed. Until an operator unlocks the account, only a device
  /// that has signed in before may try (``UserServiceClient/signIn(email:password:knownDevice:)``).
  case signInDisabled
  /// Users who change their own address or password must give the current password.
  case currentPasswordRequired
  /// The current password of an update is wrong.
  case wrongCurrentPassword
  /// Too many calls from this network.
  case peerLimitExceeded(retryAfter: Duration?)
  /// A bulk call has more rows than the service accepts; the first `created` users are stored. Bulk loads handle this
  /// error by making smaller calls.
  case tooManyRows(created: Int)
  /// The service is overloaded.
  case overloaded(retryAfter: Duration?)
  /// The service cannot be reached, or is temporarily not serving.
  case unavailable(String)
  /// The call's deadline has passed; its effect is unknown.
  case deadlineExceeded
  /// The calling task was cancelled, or the client has ended.
  case cancelled
  /// The update at `index`, from 0, of a stream has failed. Earlier updates are done.
  case updateFailed(index: Int, UserServiceError)
  /// Any other error: the name of the gRPC status, its message, and its id in the service's log.
  case failed(status: String, message: String, errorID: String?)
}

extension UserServiceError: CustomStringConvertible {
  /// The error in one sentence, for people.
  public var description: String {
    switch self {
    case .userNotFound(let id): id.isEmpty ? "the user does not exist" : "the user \(id) does not exist"
    case .usersNotFound(let ids): "these users do not exist: \(ids.joined(separator: ", "))"
    case .emailAlreadyRegistered: "the address is already registered"
    case .userIDTaken: "another user has the id"
    case .userNotDeleted: "the user is not deleted"
    case .etagMismatch: "the user has changed meanwhile"
    case .invalidUser(let fields), .invalidRequest(let fields):
      fields.isEmpty
        ? "the request is invalid" : fields.map(Self.words(for:)).joined(separator: "; ")
    case .unauthenticated(.missing): "not signed in"
    case .unauthenticated(.invalid): "the token is invalid"
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
    case .overloaded(let delay): "the service is overloaded, \(Self.words(for: delay))"
    case .unavailable(let reason):
      Self.isBlank(reason) ? "the service is not available" : "the service is not available: \(reason)"
    case .deadlineExceeded: "the service did not answer in time"
    case .cancelled: "cancelled"
    case .updateFailed(let index, let error): "update \(index): \(error)"
    case .failed(let status, let message, _):
      if !Self.isBlank(message) {
        message
      } else if Self.isBlank(status) {
        "the call failed"
      } else {
        "the call failed with \(status)"
      }
    }
  }

  /// Whether `text` is empty or only whitespace.
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
