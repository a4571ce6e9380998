/// What the bytes of a text file are, which has to be UTF-8.
enum TextEncoding {
  /// Says which of `bytes` are not UTF-8; nil if all are.
  static func problem(of bytes: [UInt8]) -> String? {
    if String(validating: bytes, as: UTF8.self) != nil { return nil }
    // Decoding puts U+FFFD in place of what is not UTF-8, so the two differ there first.
    let repaired = String(decoding: bytes, as: UTF8.self).utf8
    guard let byte = zip(bytes, repaired).first(where: { $0 != $1 })?.0 ?? bytes.last else { return nil }
    let digits = String(byte, radix: 16, uppercase: true)
    return
      "the byte \(digits) is not UTF-8: save the file as UTF-8, if it is in another encoding such as Windows-1252"
  }
}

/// Takes the byte order mark off the beginning of a file, and refuses the encodings that are told by theirs.
struct TextBeginning {
  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
  /// Bytes that tell an encoding.
  private static let length = 4

  /// The first bytes, as long as there are too few; nil once they were passed on.
  private var bytes: [UInt8]? = []

  /// Takes more of the file, and returns what is to be parsed: nothing until the encoding is told.
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

  /// Returns what is left of a file with very few bytes.
  ///
  /// - Throws: as ``append(_:)``.
  mutating func finish() throws(UserFileError) -> [UInt8] {
    defer { bytes = nil }
    return try Self.checked(bytes ?? [])
  }

  private static func checked(_ bytes: [UInt8]) throws(UserFileError) -> [UInt8] {
    // Text begins with ASCII, every other byte of which is NUL in UTF-16.
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF])
      || bytes.prefix(length).contains(0)
    {
      throw UserFileError(line: 1, "the file is UTF-16 or UTF-32; save it as UTF-8")
    }
    return bytes.starts(with: byteOrderMark) ? Array(bytes.dropFirst(byteOrderMark.count)) : bytes
  }
}
