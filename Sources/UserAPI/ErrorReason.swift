/// The reasons that an error's google.rpc.ErrorInfo may give (protos/user_service.proto documents each).
public enum ErrorReason: String, CaseIterable, Sendable {
  /// Fields of the request are wrong.
  case invalidRequest = "INVALID_REQUEST"
  /// No user has that id.
  case userNotFound = "USER_NOT_FOUND"
  /// Another user has that address.
  case emailAlreadyRegistered = "EMAIL_ALREADY_REGISTERED"
  /// A bulk call has more rows than the service takes.
  case tooManyRows = "TOO_MANY_ROWS"
  /// A queue is full.
  case overloaded = "OVERLOADED"
  /// Another process holds the database.
  case databaseBusy = "DATABASE_BUSY"
  /// The database was deleted or replaced under the service.
  case databaseReplaced = "DATABASE_REPLACED"
  /// Migrations were taken back under the service.
  case databaseNotMigrated = "DATABASE_NOT_MIGRATED"
  /// The service is being stopped.
  case shuttingDown = "SHUTTING_DOWN"
  /// The call's deadline passed.
  case deadlineExceeded = "DEADLINE_EXCEEDED"
  /// The client cancelled the call.
  case cancelled = "CANCELLED"
  /// The service's disk is full.
  case storageFull = "STORAGE_FULL"
  /// The bytes of a request are no protobuf message of its type.
  case undecodableRequest = "UNDECODABLE_REQUEST"
  /// gRPC itself has refused the call, which its message explains.
  case malformedCall = "MALFORMED_CALL"
  /// A health check for a service that there is not.
  case serviceUnknown = "SERVICE_UNKNOWN"
  /// The call has no bearer token.
  case tokenMissing = "TOKEN_MISSING"
  /// The text is no token.
  case tokenMalformed = "TOKEN_MALFORMED"
  /// The token is not signed by an issuer that the service trusts, or not meant for it.
  case tokenUntrusted = "TOKEN_UNTRUSTED"
  /// The token is good only from a later time on.
  case tokenNotYetValid = "TOKEN_NOT_YET_VALID"
  /// The token's time is over.
  case tokenExpired = "TOKEN_EXPIRED"
  /// The token was revoked.
  case tokenRevoked = "TOKEN_REVOKED"
  /// No active user has that address and that password.
  case credentialsInvalid = "CREDENTIALS_INVALID"
  /// Too many failed sign-ins in a row.
  case tooManyAttempts = "TOO_MANY_ATTEMPTS"
  /// Too many failed attempts on an account's password: no more may be tried.
  case signInDisabled = "SIGN_IN_DISABLED"
  /// The change needs the current password.
  case currentPasswordRequired = "CURRENT_PASSWORD_REQUIRED"
  /// The current password is wrong.
  case currentPasswordWrong = "CURRENT_PASSWORD_WRONG"
  /// Too many calls from one address, or too many updates by one user.
  case peerLimitExceeded = "PEER_LIMIT_EXCEEDED"
  /// The caller may not do that.
  case permissionDenied = "PERMISSION_DENIED"
  /// Anything else; only the log says what.
  case `internal` = "INTERNAL"

  /// The domain of every reason.
  public static let domain = "user.v1"
}
