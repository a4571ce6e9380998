/// One thing that is wrong with one field of a request (the content of google.rpc.BadRequest.FieldViolation).
public struct FieldViolation: Error, Hashable, Sendable {
  /// The machine-readable kind of violation.
  public enum Reason: String, Hashable, Sendable, CaseIterable {
    /// The field must not be empty.
    case required = "REQUIRED"
    /// The value does not have the form that the field asks for.
    case malformed = "MALFORMED"
    /// The value is shorter than the field's minimum.
    case tooShort = "TOO_SHORT"
    /// The value is longer than the field's maximum.
    case tooLong = "TOO_LONG"
    /// The value holds a control character, or a character that cannot be seen.
    case forbiddenCharacter = "FORBIDDEN_CHARACTER"
    /// The value is outside the field's range.
    case outOfRange = "OUT_OF_RANGE"
    /// The value is one that many have chosen.
    case tooCommon = "TOO_COMMON"
    /// The value is too much like something that is known of its user.
    case tooSimilar = "TOO_SIMILAR"
    /// The value was used before, and may not be used again for something else.
    case alreadyUsed = "ALREADY_USED"
  }

  /// The request's field, by its name on the wire: `email`, `user_id`.
  public let field: String
  /// What kind of violation it is.
  public let reason: Reason
  /// One sentence for the developer of the client. It never repeats the value.
  public let description: String

  /// A violation of `field`.
  public init(field: String, reason: Reason, description: String) {
    self.field = field
    self.reason = reason
    self.description = description
  }
}

extension FieldViolation: CustomStringConvertible {}

/// Collects the violations of one request, so that all are reported together, at most one a field.
struct ViolationCollector {
  private(set) var violations: [FieldViolation] = []

  /// The value that `parse` returns, or nil after noting why there is none.
  @discardableResult
  mutating func check<Value>(_ parse: () throws(FieldViolation) -> Value) -> Value? {
    do {
      return try parse()
    } catch {
      violations.append(error)
      return nil
    }
  }

  /// Throws `UserError.invalid` if anything was noted.
  func throwIfAny() throws(UserError) {
    if !violations.isEmpty { throw .invalid(violations) }
  }
}
