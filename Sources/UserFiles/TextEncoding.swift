/// Checks that a text file is UTF-8.
enum TextEncoding {
  /// Describes the first of `bytes` that is not UTF-8; nil if all are.
  static func problem(of bytes: [UInt8]) -> String? {
    if String(validating: bytes, as: UTF8.self) != nil { return nil }
    // Decoding replaces invalid bytes with U+FFFD, so the first difference is the first invalid byte.
    let repaired = String(decoding: bytes, as: UTF8.self).utf8
    guard let byte = zip(bytes, repaired).first(where: { $0 != $1 })?.0 ?? bytes.last else { return nil }
    let digits = String(byte, radix: 16, uppercase: true)
    return
      "the byte \(digits) is not UTF-8: if the file has another encoding such as Windows-1252, save it as UTF-8"
  }
}

/// Removes the byte order mark from the start of a file, and refuses UTF-16 and UTF-32.
struct TextBeginning {
  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
  /// The number of bytes that identify an encoding.
  private static let length = 4

  /// The first bytes while there are fewer than ``length``; nil once they were returned.
  private var bytes: [UInt8]? = []

  /// Appends bytes of the file, and returns those to parse: none until the encoding is known.
  ///
  /// - Throws: `UserFileError` for UTF-16 and UTF-32, with a byte order mark or without.
  mutating func append(_ more: some Sequence<UInt8>) throws(UserFileError) -> [UInt8] {
    guard let bytes else { return Array(more) }
    let all = bytes + more
    if all.count < Self.length {
      self.bytes = all
      return []
    }
    self.bytes = nil
    return try Self.checked(all)
  }

  /// Returns the bytes of a file that is shorter than ``length``.
  ///
  /// - Throws: the errors of ``append(_:)``.
  mutating func finish() throws(UserFileError) -> [UInt8] {
    defer { bytes = nil }
    return try Self.checked(bytes ?? [])
  }

  private static func checked(_ bytes: [UInt8]) throws(UserFileError) -> [UInt8] {
    // The text starts with ASCII characters, which have NUL bytes in UTF-16 and UTF-32.
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF])
      || bytes.prefix(length).contains(0)
    {
      throw UserFileError(line: 1, "the file is UTF-16 or UTF-32; save it as UTF-8")
    }
    return bytes.starts(with: byteOrderMark) ? Array(bytes.dropFirst(byteOrderMark.count)) : bytes
  }
}
