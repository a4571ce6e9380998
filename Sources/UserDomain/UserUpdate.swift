/// The changes of one user as a client writes them; nil leaves a field unchanged.
public struct UserUpdate: Sendable, Redacted {
  /// The new address.
  public var email: String?
  /// The new name.
  public var name: String?
  /// The new status, a raw value of `UserStatus`.
  public var status: Int?
  /// The new password; empty: the user can no longer sign in by password.
  public var password: String?
  /// The new labels, in place of all others.
  public var labels: [String: String]?
  /// The etag of the version that the user must have; empty: any.
  public var etag = ""
  /// Whether ``status`` is meant, and not only part of a whole user: see ``UserChanges/unlocks``.
  public var isStatusMeant = true

  /// Creates an update of the fields that are not nil.
  public init(
    email: String? = nil, name: String? = nil, status: Int? = nil, password: String? = nil,
    labels: [String: String]? = nil, etag: String = ""
  ) {
    self.email = email
    self.name = name
    self.status = status
    self.password = password
    self.labels = labels
    self.etag = etag
  }
}

/// An update that was validated, the password still in the clear.
struct UserUpdateDraft {
  var changes = UserChanges()
  var version: UserVersion?
  /// The new password, and nothing else about it: see ``UserUpdate/password``.
  var password: Password?
  /// Whether the password is replaced or removed.
  let changesPassword: Bool
  var currentPassword: Password?
  /// Why the address would be refused if the user did not have it already: an earlier version, or an import, has
  /// accepted it.
  var emailViolation: FieldViolation?

  /// Whether something depends on the user as stored.
  var needsApproval: Bool {
    changesPassword || changes.email != nil || changes.status == .inactive || currentPassword != nil
  }

  /// - Throws: `UserError.invalid` with all violations, at most one per field.
  init(
    _ update: UserUpdate, of reference: UserReference, _ proof: PasswordProof?, policy: PasswordPolicy
  ) throws(UserError) {
    var collector = ViolationCollector()
    changesPassword = update.password != nil
    collector.check { () throws(FieldViolation) in if reference.text.isEmpty { throw .missingUserID } }
    if let status = update.status {
      changes.status = collector.check { () throws(FieldViolation) in try UserStatus(checking: status) }
      changes.unlocks = update.isStatusMeant
    }
    if let email = update.email {
      changes.email = collector.check { () throws(FieldViolation) in try EmailAddress(ofAccount: email) }
      do throws(FieldViolation) { _ = try EmailAddress(email) } catch { emailViolation = error }
    }
    if let name = update.name {
      changes.name = collector.check { () throws(FieldViolation) in try UserName(name) }
    }
    if let labels = update.labels {
      changes.labels = collector.check { () throws(FieldViolation) in try UserLabels(labels) }
    }
    if let text = update.password, !text.isEmpty {
      let (email, name) = (changes.email, changes.name)
      password = collector.check { () throws(FieldViolation) in
        try policy.check(text, email: email, name: name)
      }
    }
    if let text = proof?.currentPassword { currentPassword = collector.currentPassword(text) }
    version = collector.version(update.etag)
    if changes.email != nil, let emailViolation, !collector.violations.isEmpty {
      collector.check { () throws(FieldViolation) in throw emailViolation }
    }
    try collector.throwIfAny()
  }
}

extension ViolationCollector {
  /// Returns the version that an etag names; nil for an empty one.
  mutating func version(_ etag: String) -> UserVersion? {
    if etag.isEmpty { return nil }
    return check { () throws(FieldViolation) in
      guard let version = UserVersion(etag: etag) else {
        throw FieldViolation(
          field: "etag", reason: .malformed,
          description: "must be the etag of a user from an earlier response")
      }
      return version
    }
  }

  /// Returns the current password of a request.
  mutating func currentPassword(_ text: String) -> Password? {
    check { () throws(FieldViolation) in try Password(attempt: text, field: PasswordProof.field) }
  }
}

extension UserStatus {
  /// Checks a raw value from a request.
  init(checking rawValue: Int) throws(FieldViolation) {
    guard let status = UserStatus(rawValue: rawValue) else {
      throw FieldViolation(field: "status", reason: .outOfRange, description: "must be ACTIVE or INACTIVE")
    }
    self = status
  }
}
