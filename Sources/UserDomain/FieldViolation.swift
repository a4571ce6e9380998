/// A fault in one field of a request (the content of google.rpc.BadRequest.FieldViolation).
public struct FieldViolation: Error, Hashable, Sendable {
  /// The machine-readable kind of violation.
  public enum Reason: String, Hashable, Sendable, CaseIterable {
    /// The field must not be empty.
    case required = "REQUIRED"
    /// The value does not have the form that the field requires.
    case malformed = "MALFORMED"
    /// The value is shorter than the field's minimum.
    case tooShort = "TOO_SHORT"
    /// The value is longer than the field's maximum.
    case tooLong = "TOO_LONG"
    /// The value has a control character or an invisible character.
    case forbiddenCharacter = "FORBIDDEN_CHARACTER"
    /// The value is outside the field's range.
    case outOfRange = "OUT_OF_RANGE"
    /// Many users choose this value.
    case tooCommon = "TOO_COMMON"
    /// The value is too similar to something known about its user.
    case tooSimilar = "TOO_SIMILAR"
    /// The value was already used for something else.
    case alreadyUsed = "ALREADY_USED"
  }

  /// The request's field, by its name on the wire: `email`, `user_id`.
  public let field: String
  /// The kind of violation.
  public let reason: Reason
  /// The predicate of a sentence for the developer of the client. It never contains the value.
  public let description: String

  /// Creates a violation of `field`.
  public init(field: String, reason: Reason, description: String) {
    self.field = field
    self.reason = reason
    self.description = description
  }
}

extension FieldViolation: CustomStringConvertible {}

/// Collects the violations of one request, at most one per field, so that all are reported together.
struct ViolationCollector {
  private(set) var violations: [FieldViolation] = []

  /// Returns the value that `parse` returns, or nil after recording its violation.
  @discardableResult
  mutating func check<Value>(_ parse: () throws(FieldViolation) -> Value) -> Value? {
    do {
      return try parse()
    } catch {
      violations.append(error)
      return nil
    }
  }

  /// Throws `UserError.invalid` if any violation was recorded.
  func throwIfAny() throws(UserError) {
    if !violations.isEmpty { throw .invalid(violations) }
  }
}
