import Foundation
import Primitives

/// The fields of a stored hash, and the readers of their values. Errors name the format and the field.
struct HashFields {
  /// The bounds of a salt in bytes, where the format sets none.
  static let saltBounds = 1...256

  let format: String
  private let fields: [Substring]

  /// Splits `text` at each `separator`. The text before the first separator is a field, too.
  ///
  /// - Throws: `.malformed` if the number of fields is not in `counts`.
  init(
    _ text: some StringProtocol, format: String, counts: ClosedRange<Int>, separator: Unicode.Scalar = "$"
  ) throws(StoredHashError) {
    self.format = format
    // By bytes, because texts are ASCII: an import parses millions.
    let separator = UInt8(ascii: separator)
    fields = Substring(text).utf8.split(separator: separator, omittingEmptySubsequences: false).map(
      Substring.init)
    guard counts.contains(fields.count) else { throw malformed("has \(fields.count) fields") }
  }

  var count: Int { fields.count }

  /// Returns the text of a field. The caller has checked that the field exists.
  subscript(_ index: Int) -> Substring { fields[index] }

  func malformed(_ reason: String) -> StoredHashError { .malformed("\(format): the hash \(reason)") }

  /// Returns a decimal number within `bounds`, without signs and leading zeros.
  func number(
    _ digits: some StringProtocol, _ name: String, in bounds: ClosedRange<Int>
  ) throws(StoredHashError) -> Int {
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      digits.utf8.count == 1 || digits.utf8.first != 0x30
    else { throw malformed("has no number of \(name)") }
    guard digits.utf8.count <= 18, let number = Int(digits) else {
      throw .outOfRange("\(format) \(name) is too large; it must be \(Self.text(bounds))")
    }
    return try check(number, name, in: bounds)
  }

  /// Returns `number` if it is within `bounds`.
  func check(_ number: Int, _ name: String, in bounds: ClosedRange<Int>) throws(StoredHashError) -> Int {
    guard bounds.contains(number) else {
      throw .outOfRange("\(format) \(name) is \(number); it must be \(Self.text(bounds))")
    }
    return number
  }

  private static func text(_ bounds: ClosedRange<Int>) -> String {
    "\(bounds.lowerBound) to \(bounds.upperBound)"
  }

  /// Returns the values of `name=value` pairs in a field, which must have exactly these names in this order.
  func values(_ field: Int, _ names: [String]) throws(StoredHashError) -> [Substring] {
    let pairs = fields[field].split(separator: ",", omittingEmptySubsequences: false)
    guard pairs.count == names.count, zip(pairs, names).allSatisfy({ $0.hasPrefix($1 + "=") }) else {
      throw malformed("does not have the parameters \(names.joined(separator: ", "))")
    }
    return zip(pairs, names).map { $0.dropFirst($1.utf8.count + 1) }
  }

  /// Returns the UTF-8 of a field, which is a salt as text.
  func saltText(_ field: Int) throws(StoredHashError) -> [UInt8] {
    try check(Array(fields[field].utf8), "salt", Self.saltBounds)
  }

  /// Returns the bytes that a field has in base64 (RFC 4648 §4), with padding or without.
  ///
  /// - Parameter isAdapted: whether `.` may stand for `+`, as in passlib's "adapted base64".
  func base64(
    _ field: Int, _ name: String, _ lengths: ClosedRange<Int>, isAdapted: Bool = false
  ) throws(StoredHashError) -> [UInt8] {
    let text = isAdapted ? fields[field].replacing(".", with: "+") : fields[field]
    return try base64(text, name, lengths)
  }

  func base64(
    _ text: Substring, _ name: String, _ lengths: ClosedRange<Int>
  ) throws(StoredHashError) -> [UInt8] {
    guard let bytes = Self.base64(text) else { throw malformed("has a \(name) that is not base64") }
    return try check(bytes, name, lengths)
  }

  /// Returns the bytes that a field has in hexadecimal.
  func hexadecimal(
    _ field: Int, _ name: String, _ lengths: ClosedRange<Int>
  ) throws(StoredHashError) -> [UInt8] {
    guard let bytes = Self.hexadecimal(fields[field].utf8) else {
      throw malformed("has a \(name) that is not hexadecimal")
    }
    return try check(bytes, name, lengths)
  }

  func check(
    _ bytes: [UInt8], _ name: String, _ lengths: ClosedRange<Int>
  ) throws(StoredHashError) -> [UInt8] {
    guard lengths.contains(bytes.count) else {
      let bounds = lengths.count == 1 ? "\(lengths.lowerBound)" : Self.text(lengths)
      throw malformed("has a \(name) of \(bytes.count) bytes; it must have \(bounds)")
    }
    return bytes
  }

  /// Decodes base64 (RFC 4648 §4), with padding or without; nil if another character is in it or unused bits are not 0.
  static func base64(_ text: some StringProtocol) -> [UInt8]? {
    let digits = text.utf8.prefix { $0 != UInt8(ascii: "=") }
    let padding = (4 - digits.count % 4) % 4
    guard digits.count % 4 != 1, text.utf8.count == digits.count || text.utf8.count == digits.count + padding,
      text.utf8.dropFirst(digits.count).allSatisfy({ $0 == UInt8(ascii: "=") })
    else { return nil }
    let padded = Array(digits) + [UInt8](repeating: UInt8(ascii: "="), count: padding)
    // Foundation ignores the unused bits of the last digit.
    guard let data = Data(base64Encoded: Data(padded)), data.base64EncodedData().elementsEqual(padded) else {
      return nil
    }
    return Array(data)
  }

  /// Decodes hexadecimal in either case; nil for other text.
  static func hexadecimal(_ text: some Collection<UInt8>) -> [UInt8]? {
    guard text.count % 2 == 0 else { return nil }
    let digits = text.compactMap(Hexadecimal.value)
    guard digits.count == text.count else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }
}
