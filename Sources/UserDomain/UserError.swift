/// The errors of requests about users. The API maps them to statuses in one table.
public enum UserError: Error, Hashable, Sendable {
  /// The request is invalid. Has every violation found, one per field.
  case invalid([FieldViolation])
  /// No user has the id or the address in the request, given here as the client wrote it, or the user is deleted.
  case notFound(String)
  /// Of the ids in the request, no user has these, given here as the client wrote them.
  case notAllFound([String])
  /// Another user has the id of an imported user.
  case idTaken
  /// The user to be undeleted is not deleted.
  case notDeleted
  /// The user has changed since the version that the request names.
  case versionMismatch
  /// Another user has the address, in any letter case.
  case emailAlreadyRegistered
  /// A bounded queue is full; nothing was done. Retry after `retryAfter`.
  case overloaded(retryAfter: Duration)
  /// The request's deadline passed before its work began; nothing was done.
  case deadlineExceeded
  /// The request was cancelled before its work began; nothing was done.
  case cancelled
  /// The service is shutting down; nothing was done.
  case shuttingDown
  /// The database failed; nothing of the request was stored. Only after `inputOutput` and `disconnected` is that uncertain: a
  /// commit whose sync failed may come back if the machine stops before the next one, and one whose answer was lost may have
  /// succeeded.
  case storage(StorageFault)
  /// The call's token, or the refresh token in its request, is not accepted.
  case unauthenticated(TokenFault)
  /// No active user has this address and this password; the error does not say which is wrong.
  case wrongCredentials
  /// Too many consecutive attempts on the account's password have failed from the caller's network or device. Retry
  /// after `retryAfter`.
  case tooManyAttempts(retryAfter: Duration)
  /// So many consecutive attempts on the account's password have failed that only known devices may try it. An operator
  /// can enable it again.
  case signInDisabled
  /// A change of the user's own address or password requires the current password, which the request does not have.
  case currentPasswordRequired
  /// The current password in the request is not the user's.
  case wrongCurrentPassword
  /// The client's network has made too many calls, or the user too many updates. Retry after `retryAfter`.
  case peerLimitExceeded(retryAfter: Duration)
  /// The caller's principal lacks the permission: it has not the scope, and is not the user in the request.
  case permissionDenied(missing: Scopes)
  /// The hasher does not accept the stored hash, or hashing failed. For the log only.
  case passwordHashing(String)
  /// A token could not be signed. For the log only.
  case signing(String)
}

/// A database failure during a request.
public struct StorageFault: Hashable, Sendable {
  /// The kind of a failure, by its remedy.
  public enum Kind: Hashable, Sendable {
    /// Another process held the lock for longer than the busy timeout: retry later.
    case busy
    /// The disk or the quota is full: an operator must make room.
    case full
    /// The file or its directory cannot be written.
    case readOnly
    /// The file is damaged: an operator must restore it.
    case corrupt
    /// The operating system failed to read or write the file.
    case inputOutput
    /// The path no longer leads to the open file: an operator must restart the service.
    case moved
    /// The server of the database cannot be reached, or takes no writes: the service goes on by itself when it does. Only a
    /// write whose commit was under way when the connection was lost may be stored.
    case disconnected
    /// Migrations that the program needs were reverted while it ran: an operator must apply them.
    case notMigrated
    /// Any other failure: a defect of this program.
    case unexpected
  }

  /// The kind of the failure.
  public let kind: Kind
  /// SQLite's extended result code (sqlite.org/rescode.html), or 0 for a failure outside of SQLite.
  public let resultCode: Int32
  /// The database's own message, for the log; never sent to a client.
  public let message: String

  /// Creates a failure.
  public init(kind: Kind, resultCode: Int32, message: String) {
    self.kind = kind
    self.resultCode = resultCode
    self.message = message
  }
}
