/// A JSON value (RFC 8259).
enum JSONValue {
  /// The members in their order. If a name appears twice, the last one counts, as in most parsers.
  case object([(name: String, value: JSONValue)])
  case array([JSONValue])
  case string(String)
  /// The text of a number, as written.
  case number(String)
  case bool(Bool)
  case null
}

extension JSONValue {
  /// Reads a value from a text of JSON inside another one.
  ///
  /// - Throws: `JSONReader.Fault`.
  init(text: String) throws(JSONReader.Fault) {
    self = try Array(text.utf8).withUnsafeBufferPointer { bytes throws(JSONReader.Fault) in
      var reader = JSONReader(bytes)
      let value = try reader.value()
      try reader.end()
      return value
    }
  }

  /// The member of an object with this name. Nil if it is absent or null, or the value is not an object.
  subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self, let member = members.last(where: { $0.name == name }) else {
      return nil
    }
    if case .null = member.value { return nil }
    return member.value
  }

  /// The elements of an array; empty for any other value.
  var elements: [JSONValue] {
    if case .array(let elements) = self { elements } else { [] }
  }

  /// The text of a string; nil for any other value.
  var text: String? {
    if case .string(let text) = self { text } else { nil }
  }

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
