/// Everything that a request about users can fail with. The API maps it to a status in one table.
public enum UserError: Error, Hashable, Sendable {
  /// The request itself is wrong: every violation found, one a field.
  case invalid([FieldViolation])
  /// There is no user with the id that the request names, given here as the client wrote it.
  case notFound(String)
  /// Another user has the address, in this or another letter case.
  case emailAlreadyRegistered
  /// A bounded queue is full; nothing was done. Worth repeating after `retryAfter`.
  case overloaded(retryAfter: Duration)
  /// The request's deadline passed before its work began; nothing was done.
  case deadlineExceeded
  /// The request was cancelled before its work began; nothing was done.
  case cancelled
  /// The service is shutting down; nothing was done.
  case shuttingDown
  /// The database failed; nothing of the request was stored. Only after `inputOutput` is that uncertain: a
  /// commit whose sync failed may come back if the machine stops before the next one.
  case storage(StorageFault)
  /// The call's token, or the refresh token in its request, is not accepted.
  case unauthenticated(TokenFault)
  /// No active user has that address and that password; which of it is wrong is not said.
  case wrongCredentials
  /// Too many attempts on the account's password have failed in a row, from the caller's network or device. Worth
  /// repeating after `retryAfter`.
  case tooManyAttempts(retryAfter: Duration)
  /// So many attempts on the account's password have failed in a row that it may be tried no more, but from a device
  /// that has signed in before, until an operator has ended that.
  case signInDisabled
  /// The change of an own address or password needs the current password, which the request does not have.
  case currentPasswordRequired
  /// The current password in the request is not the user's.
  case wrongCurrentPassword
  /// The client's address has made too many calls, or the user too many updates. Worth repeating after `retryAfter`.
  case peerLimitExceeded(retryAfter: Duration)
  /// The caller is known but may not do that: it lacks a scope, and is not the user that it is about.
  case permissionDenied(missing: Scopes)
  /// The stored password hash is not one that the hasher accepts, or hashing failed. For the log only.
  case passwordHashing(String)
  /// A token could not be signed. For the log only.
  case signing(String)
}

/// A failure of the database below a request.
public struct StorageFault: Hashable, Sendable {
  /// What can be done about it.
  public enum Kind: Hashable, Sendable {
    /// Another process held the lock for longer than the busy timeout: repeat later.
    case busy
    /// The disk, or the quota, is full: an operator has to make room.
    case full
    /// The file or its directory cannot be written.
    case readOnly
    /// The file is damaged: an operator has to restore it.
    case corrupt
    /// The operating system failed to read or write the file.
    case inputOutput
    /// The path leads to another file than the open one, or to none: an operator has to restart the service.
    case moved
    /// Migrations that the program needs were taken back while it runs: an operator has to apply them.
    case notMigrated
    /// Anything else: a defect of this program.
    case unexpected
  }

  /// What can be done about it.
  public let kind: Kind
  /// SQLite's extended result code (sqlite.org/rescode.html), or 0 if the failure is not SQLite's.
  public let resultCode: Int32
  /// SQLite's own words, for the log; never sent to a client.
  public let message: String

  /// A failure of that kind.
  public init(kind: Kind, resultCode: Int32, message: String) {
    self.kind = kind
    self.resultCode = resultCode
    self.message = message
  }
}
