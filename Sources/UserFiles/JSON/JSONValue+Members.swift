extension JSONValue {
  /// Whether the value is a note about a rejected row: an object whose only members are the texts `line` and `reason`.
  var isNote: Bool {
    guard case .object(let members) = self, members.count == 2 else { return false }
    return self[UserColumn.line.rawValue]?.text != nil && self[UserColumn.reason.rawValue]?.text != nil
  }

  /// Returns the text of a member that may be absent or null.
  ///
  /// - Throws: `Problem` for any other value.
  func text(_ name: String) throws(UserFileRow.Problem) -> String? {
    guard let value = self[name] else { return nil }
    guard case .string(let text) = value else { throw UserFileRow.Problem("\(name) is not a string") }
    return text
  }

  /// Returns a member that is true or false, and may be absent or null.
  ///
  /// - Throws: `Problem` for any other value.
  func bool(_ name: String) throws(UserFileRow.Problem) -> Bool? {
    guard let value = self[name] else { return nil }
    guard case .bool(let bool) = value else {
      throw UserFileRow.Problem("\(name) is neither true nor false")
    }
    return bool
  }

  /// Returns a member that is a whole number, or the text of one, and may be absent or null.
  ///
  /// - Throws: `Problem` for any other value, and for one with more than 64 bits.
  func integer(_ name: String) throws(UserFileRow.Problem) -> Int64? {
    switch self[name] {
    case nil: return nil
    case .number(let text)?, .string(let text)?:
      if let number = Int64(text) { return number }
    default: break
    }
    throw UserFileRow.Problem("\(name) is not a whole number")
  }
}
