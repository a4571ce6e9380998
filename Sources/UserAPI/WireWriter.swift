import UserDomain

/// Writes the fields of a protobuf message (protobuf.dev/programming-guides/encoding), without checks of room, which the
/// caller provides.
struct WireWriter {
  var next: UnsafeMutableRawPointer

  /// Returns the length of a varint: one byte for each 7 bits.
  static func length(_ value: UInt64) -> Int { (70 - (value | 1).leadingZeroBitCount) / 7 }

  mutating func byte(_ byte: UInt8) {
    next.storeBytes(of: byte, as: UInt8.self)
    next += 1
  }

  mutating func varint(_ value: UInt64) {
    var rest = value
    while rest > 0x7f {
      byte(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    byte(UInt8(truncatingIfNeeded: rest))
  }

  /// Writes a text unless it is empty, which proto3 omits.
  mutating func text(_ tag: UInt8, _ utf8: Span<UInt8>) {
    if !utf8.isEmpty { string(tag, utf8) }
  }

  /// Writes a text, also an empty one.
  mutating func string(_ tag: UInt8, _ utf8: Span<UInt8>) {
    byte(tag)
    varint(UInt64(utf8.count))
    utf8.withUnsafeBytes { bytes in
      if let start = bytes.baseAddress { next.copyMemory(from: start, byteCount: bytes.count) }
    }
    next += utf8.count
  }

  /// Writes the field that ends here and began at `start` once more, with another tag.
  mutating func copy(from start: UnsafeMutableRawPointer, as tag: UInt8) {
    let count = next - start
    next.copyMemory(from: start, byteCount: count)
    byte(tag)
    next += count - 1
  }

  /// Writes a google.protobuf.Timestamp.
  mutating func time(_ tag: UInt8, _ time: Timestamp) {
    byte(tag)
    let length = next
    byte(0)
    let (seconds, nanos) = time.secondsAndNanos
    if seconds != 0 {
      byte(1 << 3 | 0)
      varint(UInt64(bitPattern: seconds))
    }
    if nanos != 0 {
      byte(2 << 3 | 0)
      varint(nanos)
    }
    length.storeBytes(of: UInt8(next - length - 1), as: UInt8.self)
  }
}
