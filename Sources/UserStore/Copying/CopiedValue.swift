import Primitives

/// A value of a row, in a form that does not depend on the engine.
package enum CopiedValue: Hashable, Sendable {
  case null
  case integer(Int64)
  /// The bytes of an id or a hash, or a text's UTF-8.
  case bytes([UInt8])

  /// The bytes; none for a number or NULL.
  package var bytes: [UInt8] {
    if case .bytes(let bytes) = self { bytes } else { [] }
  }

  /// The value for people, as `form` has it. Secrets and hashes are shown by their length alone.
  package func words(_ form: CopiedTable.Column.Form) -> String {
    switch (self, form) {
    case (.null, _): "NULL"
    case (.integer(let number), _): "\(number)"
    case (.bytes(let bytes), .id): Hexadecimal.encode(bytes)
    case (.bytes(let bytes), _): "\(bytes.count) bytes"
    }
  }
}

/// A row: the values of ``CopiedTable/columns``. `users.name_key` has the key of every name, also in SQLite, whose column
/// omits those of ASCII names.
package typealias CopiedRow = [CopiedValue]

/// The primary key of a row.
package struct CopiedKey: Hashable, Sendable {
  /// The values of the key's columns.
  package let parts: [[UInt8]]

  /// Creates the key with these parts.
  package init(_ parts: [[UInt8]]) {
    self.parts = parts
  }

  /// Creates the key of a row of `table`.
  package init(of row: CopiedRow, in table: CopiedTable) {
    parts = row.prefix(table.keyLength).map(\.bytes)
  }

  /// The parts in one text, as the record of a copy has them: hexadecimal, with full stops between them.
  package var text: String { parts.map { Hexadecimal.encode($0) }.joined(separator: ".") }

  /// Creates the key in a ``text``; nil if it is not one.
  package init?(text: String) {
    var parts: [[UInt8]] = []
    for part in text.split(separator: ".", omittingEmptySubsequences: false) {
      let digits = Array(part.utf8)
      guard digits.count.isMultiple(of: 2) else { return nil }
      var bytes: [UInt8] = []
      for start in stride(from: 0, to: digits.count, by: 2) {
        guard let byte = UInt8(String(decoding: digits[start..<start + 2], as: UTF8.self), radix: 16) else {
          return nil
        }
        bytes.append(byte)
      }
      parts.append(bytes)
    }
    self.parts = parts
  }
}

extension CopiedKey: Comparable {
  /// Whether `left` precedes `right` in the order of both engines: by bytes, part by part.
  package static func < (left: CopiedKey, right: CopiedKey) -> Bool {
    for (left, right) in zip(left.parts, right.parts) where left != right {
      return left.lexicographicallyPrecedes(right)
    }
    return left.parts.count < right.parts.count
  }
}
