#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension UnsafeBufferPointer<UInt8> {
  /// Whether the bytes equal `text`.
  func equals(_ text: StaticString) -> Bool {
    count == text.utf8CodeUnitCount && (count == 0 || memcmp(baseAddress!, text.utf8Start, count) == 0)
  }

  func equals(_ bytes: [UInt8]) -> Bool {
    count == bytes.count && (count == 0 || memcmp(baseAddress!, bytes, count) == 0)
  }

  /// Whether the bytes equal `text`, which is in lower case, ignoring the case of ASCII letters.
  func equalsIgnoringCase(_ text: StaticString) -> Bool {
    if equals(text) { return true }
    guard count == text.utf8CodeUnitCount else { return false }
    for (index, byte) in enumerated() {
      let lower = (0x41...0x5a).contains(byte) ? byte | 0x20 : byte
      if lower != text.utf8Start[index] { return false }
    }
    return true
  }

  func starts(with text: StaticString) -> Bool {
    count >= text.utf8CodeUnitCount && memcmp(baseAddress!, text.utf8Start, text.utf8CodeUnitCount) == 0
  }

  func ends(with text: StaticString) -> Bool {
    let length = text.utf8CodeUnitCount
    return count >= length && memcmp(baseAddress! + (count - length), text.utf8Start, length) == 0
  }
}
