/// A user as a client wants it: validated, the password still in the clear.
public struct UserDraft: Sendable {
  /// The address.
  public let email: EmailAddress
  /// The name, possibly empty.
  public let name: UserName
  /// The password, or nil for an account that cannot sign in by password.
  public let password: Password?
  /// The request id, or nil.
  public let requestID: RequestID?
  /// The labels.
  public let labels: UserLabels

  /// Validates a client's text. An empty password or an empty request id means none.
  ///
  /// - Parameter policy: the rules for the password.
  /// - Throws: `UserError.invalid` with all violations, at most one per field.
  public init(
    email: String, name: String, password: String, requestID: String = "", labels: [String: String] = [:],
    policy: PasswordPolicy = PasswordPolicy()
  ) throws(UserError) {
    var collector = ViolationCollector()
    let address = collector.check { () throws(FieldViolation) in try EmailAddress(email) }
    let userName = collector.check { () throws(FieldViolation) in try UserName(name) }
    let secret =
      password.isEmpty
      ? nil
      : collector.check { () throws(FieldViolation) in
        try policy.check(password, email: address, name: userName)
      }
    self.requestID =
      requestID.isEmpty ? nil : collector.check { () throws(FieldViolation) in try RequestID(requestID) }
    self.labels =
      labels.isEmpty
      ? UserLabels()
      : collector.check { () throws(FieldViolation) in try UserLabels(labels) } ?? UserLabels()
    try collector.throwIfAny()
    guard let address, let userName else { throw .invalid(collector.violations) }
    self.email = address
    self.name = userName
    self.password = secret
  }
}
