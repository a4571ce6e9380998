/// A user that a client wants to have created: validated, the password still in the clear.
public struct UserDraft: Sendable {
  /// The address.
  public let email: EmailAddress
  /// The name, possibly empty.
  public let name: UserName
  /// The password, or nil for an account that cannot sign in by password.
  public let password: Password?
  /// What the client calls the request, or nil.
  public let requestID: RequestID?

  /// Validates a client's text. An empty password means none, and so does an empty request id.
  ///
  /// - Throws: `UserError.invalid` with all violations, at most one a field.
  public init(
    email: String, name: String, password: String, requestID: String = ""
  ) throws(UserError) {
    var collector = ViolationCollector()
    let address = collector.check { () throws(FieldViolation) in try EmailAddress(email) }
    let userName = collector.check { () throws(FieldViolation) in try UserName(name) }
    let secret =
      password.isEmpty ? nil : collector.check { () throws(FieldViolation) in try Password(password) }
    self.requestID =
      requestID.isEmpty ? nil : collector.check { () throws(FieldViolation) in try RequestID(requestID) }
    try collector.throwIfAny()
    guard let address, let userName else { throw .invalid(collector.violations) }
    self.email = address
    self.name = userName
    self.password = secret
  }
}
