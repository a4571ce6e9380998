/// The reasons in an error's google.rpc.ErrorInfo (protos/user_service.proto documents each).
public enum ErrorReason: String, CaseIterable, Sendable {
  /// Fields of the request are invalid.
  case invalidRequest = "INVALID_REQUEST"
  /// No user has this id or address, or the user is deleted.
  case userNotFound = "USER_NOT_FOUND"
  /// Another user has this address.
  case emailAlreadyRegistered = "EMAIL_ALREADY_REGISTERED"
  /// Another user has the id of an imported row.
  case userIDTaken = "USER_ID_TAKEN"
  /// The user to be undeleted is not deleted.
  case userNotDeleted = "USER_NOT_DELETED"
  /// The user has changed since the etag in the request was read.
  case etagMismatch = "ETAG_MISMATCH"
  /// A bulk call has more rows than the service takes.
  case tooManyRows = "TOO_MANY_ROWS"
  /// A queue is full.
  case overloaded = "OVERLOADED"
  /// Another process holds the database.
  case databaseBusy = "DATABASE_BUSY"
  /// The server of the database cannot be reached. A write may be stored if its commit was under way.
  case databaseUnreachable = "DATABASE_UNREACHABLE"
  /// The database was deleted or replaced while the service ran.
  case databaseReplaced = "DATABASE_REPLACED"
  /// Migrations were reverted while the service ran.
  case databaseNotMigrated = "DATABASE_NOT_MIGRATED"
  /// The service is shutting down.
  case shuttingDown = "SHUTTING_DOWN"
  /// The call's deadline passed.
  case deadlineExceeded = "DEADLINE_EXCEEDED"
  /// The client cancelled the call.
  case cancelled = "CANCELLED"
  /// The service's disk is full.
  case storageFull = "STORAGE_FULL"
  /// The request's bytes are not a protobuf message of its type.
  case undecodableRequest = "UNDECODABLE_REQUEST"
  /// GRPCCore refused the call; its message says why.
  case malformedCall = "MALFORMED_CALL"
  /// A health check names an unknown service.
  case serviceUnknown = "SERVICE_UNKNOWN"
  /// The call has no bearer token.
  case tokenMissing = "TOKEN_MISSING"
  /// The text is not a token.
  case tokenMalformed = "TOKEN_MALFORMED"
  /// The token is not signed by a trusted issuer, or not meant for this service.
  case tokenUntrusted = "TOKEN_UNTRUSTED"
  /// The token is not valid yet.
  case tokenNotYetValid = "TOKEN_NOT_YET_VALID"
  /// The token has expired.
  case tokenExpired = "TOKEN_EXPIRED"
  /// The token is revoked.
  case tokenRevoked = "TOKEN_REVOKED"
  /// No active user has this address and this password.
  case credentialsInvalid = "CREDENTIALS_INVALID"
  /// Too many failed sign-ins in a row; later attempts are allowed.
  case tooManyAttempts = "TOO_MANY_ATTEMPTS"
  /// Too many failed attempts on an account's password: sign-in by password is disabled.
  case signInDisabled = "SIGN_IN_DISABLED"
  /// The change needs the current password.
  case currentPasswordRequired = "CURRENT_PASSWORD_REQUIRED"
  /// The current password is wrong.
  case currentPasswordWrong = "CURRENT_PASSWORD_WRONG"
  /// Too many calls from one network, or too many updates by one user.
  case peerLimitExceeded = "PEER_LIMIT_EXCEEDED"
  /// The caller lacks the permission.
  case permissionDenied = "PERMISSION_DENIED"
  /// An unexpected failure, which only the log explains.
  case `internal` = "INTERNAL"

  /// The domain of every reason.
  public static let domain = "user.v1"
}
