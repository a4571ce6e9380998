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
}
