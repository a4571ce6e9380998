/// A user as a client hands it over from another system. Empty texts, and nil, are left out.
public struct ImportRow: Sendable, Redacted {
  /// A UUID of any version.
  public var id = ""
  /// The address.
  public var email = ""
  /// The name.
  public var name = ""
  /// A raw value of `UserStatus`.
  public var status: Int?
  /// When the user was created.
  public var createdAt: Timestamp?
  /// When the user was last changed.
  public var updatedAt: Timestamp?
  /// When the user was deleted.
  public var deletedAt: Timestamp?
  /// When the user will be purged.
  public var purgeAt: Timestamp?
  /// The labels.
  public var labels: [String: String] = [:]
  /// The password's hash, in a format that the hasher accepts.
  public var passwordHash = ""
  /// The password in the clear, if the hash is not known.
  public var password = ""
  /// The violations of fields that have no value here.
  public var violations: [FieldViolation] = []

  /// Creates a row without values.
  public init() {}
}

/// A row that was validated, the password still in the clear.
public struct ImportDraft: Sendable, Redacted {
  /// How far ahead of this service's clock the other system's may be.
  static let clockTolerance: Duration = .seconds(60)

  /// The user. It has a hash only if the row had one.
  public let user: ForeignUser
  /// The password, if the row has it in the clear.
  public let password: Password?

  /// Validates a row at `now`, with password hashes that `hasher` accepts.
  ///
  /// - Throws: `UserError.invalid` with all violations, at most one per field.
  public init(_ row: ImportRow, at now: Timestamp, _ hasher: any PasswordHasher) throws(UserError) {
    var collector = ViolationCollector()
    for violation in row.violations { collector.check { () throws(FieldViolation) in throw violation } }
    let email = collector.check { () throws(FieldViolation) in try EmailAddress(ofAccount: row.email) }
    let name = collector.check { () throws(FieldViolation) in try UserName(row.name) }
    let id = collector.check { () throws(FieldViolation) in try row.givenID() }
    let status = collector.check { () throws(FieldViolation) in try UserStatus(ofImport: row.status) }
    let labels =
      row.labels.isEmpty
      ? UserLabels() : collector.check { () throws(FieldViolation) in try UserLabels(row.labels) }
    let hash = collector.check { () throws(FieldViolation) in try row.acceptedHash(by: hasher) }
    password = collector.check { () throws(FieldViolation) in try row.clearPassword() } ?? nil
    // Times that are invalid are absent here, and must not make others invalid.
    if row.violations.isEmpty { row.checkTimes(at: now, &collector) }
    try collector.throwIfAny()
    guard let email, let name, let id, let status, let labels, let hash else {
      throw .invalid(collector.violations)
    }
    user = ForeignUser(
      id: id, email: email, name: name, status: status, createdAt: row.createdAt,
      // A deletion is a change.
      updatedAt: [row.updatedAt, row.deletedAt].compactMap(\.self).max(),
      deletion: row.deletedAt.flatMap { deleted in
        row.purgeAt.map { UserDeletion(deletedAt: deleted, purgeAt: $0) }
      },
      labels: labels, passwordHash: hash)
  }
}

extension ImportRow {
  fileprivate func givenID() throws(FieldViolation) -> UserID? {
    if id.isEmpty { return nil }
    guard let given = UserID(id), given != UserID(high: 0, low: 0) else {
      throw FieldViolation(
        field: "id", reason: .malformed, description: "must be a UUID other than the nil UUID")
    }
    return given
  }

  fileprivate func acceptedHash(by hasher: any PasswordHasher) throws(FieldViolation) -> PasswordHash? {
    passwordHash.isEmpty ? nil : try hasher.accept(foreign: passwordHash)
  }

  fileprivate func clearPassword() throws(FieldViolation) -> Password? {
    if password.isEmpty { return nil }
    guard passwordHash.isEmpty else {
      throw FieldViolation(
        field: Password.field, reason: .alreadyUsed, description: "must be empty where password_hash is given"
      )
    }
    return try Password(attempt: password)
  }

  /// Checks that times are in order and not in the future.
  fileprivate func checkTimes(at now: Timestamp, _ collector: inout ViolationCollector) {
    let latest = now + ImportDraft.clockTolerance
    let start = createdAt ?? now
    func check(_ field: String, _ time: Timestamp?, from first: Timestamp?, _ bound: String) {
      guard let time else { return }
      collector.check { () throws(FieldViolation) in
        if time > latest {
          throw FieldViolation(field: field, reason: .outOfRange, description: "must not be in the future")
        }
        if let first, time < first {
          throw FieldViolation(field: field, reason: .outOfRange, description: "must not be before \(bound)")
        }
      }
    }
    check("created_at", createdAt, from: nil, "")
    check("update_time", updatedAt, from: start, "created_at")
    check("delete_time", deletedAt, from: start, "created_at")
    collector.check { () throws(FieldViolation) in
      guard (deletedAt == nil) == (purgeAt == nil) else {
        throw FieldViolation(
          field: "purge_time", reason: .required, description: "must be given together with delete_time")
      }
      if let deletedAt, let purgeAt, purgeAt < deletedAt {
        throw FieldViolation(
          field: "purge_time", reason: .outOfRange, description: "must not be before delete_time")
      }
    }
  }
}

extension UserStatus {
  fileprivate init(ofImport rawValue: Int?) throws(FieldViolation) {
    guard let rawValue else {
      self = .active
      return
    }
    try self.init(checking: rawValue)
  }
}
