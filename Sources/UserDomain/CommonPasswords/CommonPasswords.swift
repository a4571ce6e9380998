/// The passwords that attackers try first: the 20,000 commonest leaked ones, without those under 6 characters.
enum CommonPasswords {
  /// Returns whether `text`, in lower case, is in the list, by a binary search in the program's read-only text.
  static func contains(_ text: String) -> Bool {
    var text = text.lowercased()
    let list = UnsafeRawBufferPointer(
      start: CommonPasswordsText.sorted.utf8Start, count: CommonPasswordsText.sorted.utf8CodeUnitCount)
    return text.withUTF8 { contains(UnsafeRawBufferPointer($0), in: list) }
  }

  private static func contains(_ word: UnsafeRawBufferPointer, in list: UnsafeRawBufferPointer) -> Bool {
    // Both bounds are beginnings of lines; the upper one may be the end of the list.
    var (lower, upper) = (0, list.count)
    while lower < upper {
      let middle = lower + (upper - lower) / 2
      let start = list[lower..<middle].lastIndex(of: newline).map { $0 + 1 } ?? lower
      let end = list[start..<upper].firstIndex(of: newline) ?? upper
      let line = list[start..<end]
      if line.elementsEqual(word) { return true }
      if line.lexicographicallyPrecedes(word) { lower = end + 1 } else { upper = start }
    }
    return false
  }

  private static let newline = UInt8(ascii: "\n")
}
