import Crypto
import GRDB
import UserDomain

/// The statements of requests with an id, used inside the transaction that stores the user.
final class CreateRequestStatements {
  static let rememberedSQL = """
    SELECT create_requests.user_id, content_hash, made_at, phc_hash FROM create_requests
    LEFT JOIN password_credentials ON password_credentials.user_id = create_requests.user_id
    WHERE id = ?1
    """
  static let purgeSQL = """
    DELETE FROM create_requests WHERE id IN (SELECT id FROM create_requests WHERE made_at < ?1 LIMIT 64)
    """
  /// Deletes requests stored by a clock that was ahead.
  static let purgeFutureSQL = """
    DELETE FROM create_requests WHERE id IN (SELECT id FROM create_requests WHERE made_at > ?1 LIMIT 64)
    """
  static let forgetSQL = "DELETE FROM create_requests WHERE user_id = ?1"

  private let remembered: PreparedStatement
  private let put: PreparedStatement
  private let purge: PreparedStatement
  private let purgeFuture: PreparedStatement
  private let forget: PreparedStatement

  init(_ connection: SQLiteConnection) throws(DatabaseError) {
    remembered = try connection.prepare(Self.rememberedSQL)
    put = try connection.prepare(
      """
      INSERT INTO create_requests (id, user_id, content_hash, made_at) VALUES (?1, ?2, ?3, ?4)
      ON CONFLICT (id) DO UPDATE SET
        user_id = excluded.user_id, content_hash = excluded.content_hash, made_at = excluded.made_at
      """)
    purge = try connection.prepare(Self.purgeSQL)
    purgeFuture = try connection.prepare(Self.purgeFutureSQL)
    forget = try connection.prepare(Self.forgetSQL)
  }

  /// Returns the earlier outcome of a request made at `now`, or nil if the request id is new or expired.
  func outcome(
    of id: RequestID, _ new: NewUser, at now: Timestamp
  ) throws(DatabaseError) -> Result<Creation, UserError>? {
    try remembered.bind(id.bytes, at: 1)
    defer { remembered.reset() }
    guard try remembered.step() else { return nil }
    let madeAt = Timestamp(microsecondsSinceEpoch: remembered.integer(at: 2))
    // A time in the future comes from a clock that was ahead; ahead by more than the retention, it would never expire.
    guard madeAt + CreateRequest.retention > now, madeAt < now + CreateRequest.retention else { return nil }
    guard remembered.blob(at: 1) == Self.contentHash(of: new) else {
      return .failure(.invalid([.requestIDUsed]))
    }
    // The user may have changed since. The client missed the user as created, so it gets that.
    let user = User(
      id: try remembered.id(at: 0), email: new.email, name: new.name, status: .active, createdAt: madeAt)
    let hash = remembered.isNull(at: 3) ? nil : PasswordHash(phcString: remembered.text(at: 3))
    return .success(Creation(user, earlier: Creation.Earlier(passwordHash: hash)))
  }

  /// Deletes expired requests: a few per transaction, so that none is long.
  func purge(at now: Timestamp) throws(DatabaseError) {
    try purge.bind((now - CreateRequest.retention).microsecondsSinceEpoch, at: 1)
    try purge.run()
  }

  /// Records a request that stored `user`.
  func remember(_ id: RequestID, _ new: NewUser, as user: User) throws(DatabaseError) {
    try purgeFuture.bind((user.createdAt + CreateRequest.retention).microsecondsSinceEpoch, at: 1)
    try purgeFuture.run()
    try put.bind(id.bytes, at: 1)
    try put.bind(user.id, at: 2)
    try put.bind(Self.contentHash(of: new), at: 3)
    try put.bind(user.createdAt.microsecondsSinceEpoch, at: 4)
    try put.run()
  }

  /// Deletes the requests of a user whose password changes: retries can no longer be compared with it.
  func forget(of user: UserID) throws(DatabaseError) {
    try forget.bind(user, at: 1)
    try forget.run()
  }

  private static func contentHash(of new: NewUser) -> [UInt8] {
    var hash = SHA256()
    hash.update(data: Array(new.email.address.utf8))
    // A zero separates the texts; neither can contain one.
    hash.update(data: [0])
    hash.update(data: Array(new.name.text.utf8))
    return Array(hash.finalize())
  }
}
