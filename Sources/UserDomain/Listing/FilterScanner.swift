/// Scans the text of a filter for comparisons.
struct FilterScanner {
  /// A sign between a field and its value.
  enum Sign: String, CaseIterable {
    case atLeast = ">="
    case atMost = "<="
    case equal = "="
    case after = ">"
    case before = "<"
  }

  /// The value of a comparison.
  struct Value {
    /// The value without quotation marks and escapes, and without the asterisk of a prefix.
    let text: String
    /// Whether it is the beginning of a text.
    let isPrefix: Bool
    /// Where it begins, counted from 1.
    let position: Int

    func fault(_ description: String) -> FieldViolation { .filter(at: position, "the value \(description)") }
  }

  /// A field, a sign and a value.
  struct Comparison {
    let field: String
    let sign: Sign
    let value: Value
    /// Where it begins, counted from 1.
    let position: Int

    func fault(_ description: String) -> FieldViolation { .filter(at: position, "the field \(description)") }
  }

  private let scalars: [Unicode.Scalar]
  private var index = 0

  init(_ text: String) {
    scalars = Array(text.unicodeScalars)
    skipSpaces()
  }

  var isAtEnd: Bool { index == scalars.count }

  private var position: Int { index + 1 }

  private var next: Unicode.Scalar? { isAtEnd ? nil : scalars[index] }

  private mutating func skipSpaces() {
    while let next, next == " " || next == "\t" || next == "\n" || next == "\r" { index += 1 }
  }

  /// Scans a comparison and the spaces behind it.
  mutating func comparison() throws(FieldViolation) -> Comparison {
    let start = position
    let field = word {
      $0.properties.isAlphabetic || ("0"..."9").contains($0) || "_.-".unicodeScalars.contains($0)
    }
    guard !field.isEmpty else { throw .filter(at: start, "a field is missing") }
    skipSpaces()
    guard let sign = Sign.allCases.first(where: { starts(with: $0.rawValue) }) else {
      throw .filter(at: position, "one of =, >=, >, < and <= is missing")
    }
    index += sign.rawValue.count
    skipSpaces()
    let value = try next == "\"" ? quoted() : bare()
    skipSpaces()
    return Comparison(field: field, sign: sign, value: value, position: start)
  }

  /// Scans the `AND` before another comparison. Returns false at the end of the text.
  mutating func hasAnother() throws(FieldViolation) -> Bool {
    if isAtEnd { return false }
    guard starts(with: "AND"), index + 3 < scalars.count, scalars[index + 3].properties.isWhitespace else {
      throw .filter(at: position, "AND and another comparison, or the end, is missing")
    }
    index += 3
    skipSpaces()
    return true
  }

  private func starts(with text: String) -> Bool { scalars[index...].starts(with: text.unicodeScalars) }

  private mutating func word(_ isPart: (Unicode.Scalar) -> Bool) -> String {
    var word = String.UnicodeScalarView()
    while let next, isPart(next) {
      word.append(next)
      index += 1
    }
    return String(word)
  }

  /// Scans a value without quotation marks, up to the next space.
  private mutating func bare() throws(FieldViolation) -> Value {
    let start = position
    var text = word { !$0.properties.isWhitespace && !"\"()\\".unicodeScalars.contains($0) }
    guard let first = text.unicodeScalars.first else { throw .filter(at: start, "a value is missing") }
    if first == "'" { throw .filter(at: start, "a text is put between double quotation marks") }
    // As scalars: a combining mark before the asterisk is not part of it.
    let isPrefix = text.unicodeScalars.last == "*"
    if isPrefix { text.unicodeScalars.removeLast() }
    if let star = text.unicodeScalars.firstIndex(of: "*") {
      let offset = text.unicodeScalars.distance(from: text.startIndex, to: star)
      throw .filter(at: start + offset, "an asterisk can only come at the end of a value")
    }
    return Value(text: text, isPrefix: isPrefix, position: start)
  }

  /// Scans a value between quotation marks.
  private mutating func quoted() throws(FieldViolation) -> Value {
    let start = position
    index += 1
    var text = String.UnicodeScalarView()
    var isPrefix = false
    while let scalar = next, scalar != "\"" {
      if isPrefix { throw .filter(at: position - 1, "an asterisk can only come at the end of a value") }
      index += 1
      if scalar == "*" {
        isPrefix = true
      } else if scalar == "\\" {
        guard let escaped = next, "\"\\*".unicodeScalars.contains(escaped) else {
          throw .filter(
            at: position - 1, "a backslash can only come before a quotation mark, an asterisk or a backslash")
        }
        text.append(escaped)
        index += 1
      } else {
        text.append(scalar)
      }
    }
    guard next == "\"" else { throw .filter(at: start, "the quotation mark has no second one") }
    index += 1
    return Value(text: String(text), isPrefix: isPrefix, position: start)
  }
}

extension FieldViolation {
  /// The violation of a filter at a character, counted from 1.
  fileprivate static func filter(at position: Int, _ description: String) -> FieldViolation {
    FieldViolation(
      field: UserFilter.field, reason: .malformed,
      description: "is invalid at character \(position): \(description)")
  }
}
