import UserDomain

/// The reason why a text is not accepted as a stored hash. It never contains the salt or the hash.
enum StoredHashError: Error, Hashable, CustomStringConvertible {
  /// The text begins like none of the known formats.
  case unknownFormat
  /// The text does not follow its format. The reason is a sentence that names the format.
  case malformed(String)
  /// A cost or a length is outside its bounds. The reason is a sentence with the value and the bounds.
  case outOfRange(String)

  var description: String {
    switch self {
    case .unknownFormat: "is not in a known format of password hashes"
    case .malformed(let reason), .outOfRange(let reason): reason
    }
  }

  /// The violation of the field with an imported hash.
  var violation: FieldViolation {
    let reason: FieldViolation.Reason =
      switch self {
      case .unknownFormat, .malformed: .malformed
      case .outOfRange: .outOfRange
      }
    return FieldViolation(field: PasswordHash.field, reason: reason, description: description)
  }
}
