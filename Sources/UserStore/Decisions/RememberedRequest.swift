import Crypto
package import UserDomain

/// The record of a request with an id, and what its retry is answered with.
package struct RememberedRequest: Sendable {
  /// The id of the user that it stored.
  package let userID: UserID
  /// The ``contentHash(of:)`` of the user as requested.
  package let contentHash: [UInt8]
  /// When the user was stored.
  package let madeAt: Timestamp
  /// The time of the user's creation.
  package let createdAt: Timestamp
  /// The hash of the user's password, which is still the first one; nil if it has none.
  package let passwordHash: PasswordHash?

  /// Creates a record from its stored parts.
  package init(
    userID: UserID, contentHash: [UInt8], madeAt: Timestamp, createdAt: Timestamp, passwordHash: PasswordHash?
  ) {
    self.userID = userID
    self.contentHash = contentHash
    self.madeAt = madeAt
    self.createdAt = createdAt
    self.passwordHash = passwordHash
  }

  /// Returns the outcome of a request for `new` at `now` with the id of this one; nil if the record has expired, so that
  /// the request counts as new.
  package func outcome(of new: NewUser, at now: Timestamp) -> Result<Creation, UserError>? {
    // A time in the future comes from a clock that was ahead; ahead by more than the retention, it would never expire.
    guard madeAt + CreateRequest.retention > now, madeAt < now + CreateRequest.retention else { return nil }
    guard contentHash == Self.contentHash(of: new) else { return .failure(.invalid([.requestIDUsed])) }
    // The user may have changed since. The client missed the user as created, so it gets that.
    let user = User(
      id: userID, email: new.email, name: new.name, status: .active, createdAt: createdAt, labels: new.labels)
    return .success(Creation(user, earlier: Creation.Earlier(passwordHash: passwordHash)))
  }

  /// Returns the SHA-256 of the address, the name and the labels, by which requests with one id are compared: 32 bytes.
  package static func contentHash(of new: NewUser) -> [UInt8] {
    var hash = SHA256()
    hash.update(data: Array(new.email.address.utf8))
    // A zero separates the texts; neither can contain one.
    hash.update(data: [0])
    hash.update(data: Array(new.name.text.utf8))
    if !new.labels.isEmpty { hash.update(data: [0] + Array(new.labels.text.utf8)) }
    return Array(hash.finalize())
  }
}
