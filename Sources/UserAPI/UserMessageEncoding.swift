import UserDomain

/// The wire format of a user (protobuf.dev/programming-guides/encoding): the bytes that SwiftProtobuf would write,
/// without a message in between. Every user in a response is encoded by it, from a row that a read lends.
enum UserMessageEncoding {
  /// Returns the length of the message in bytes.
  static func count(_ row: UserRow, _ email: UTF8Span, _ name: UTF8Span) -> Int {
    let (seconds, nanos) = row.createdAt.secondsAndNanos
    let timeLength =
      (seconds == 0 ? 0 : 1 + length(UInt64(bitPattern: seconds))) + (nanos == 0 ? 0 : 1 + length(nanos))
    return 2 + UserID.textLength + fieldLength(email.count) + fieldLength(name.count)
      + 1 + length(UInt64(row.status.rawValue)) + 2 + timeLength
  }

  /// Returns a length in bytes that the message does not exceed: texts and id, and at most 48 bytes of tags, lengths and
  /// numbers. Cheaper than ``count(_:_:_:)``.
  static func maximumCount(_ email: UTF8Span, _ name: UTF8Span) -> Int {
    UserID.textLength + email.count + name.count + 48
  }

  /// Writes the message at `start`, where there is room for it. Returns its length in bytes.
  @discardableResult
  static func write(
    _ row: UserRow, _ email: UTF8Span, _ name: UTF8Span, to start: UnsafeMutableRawPointer
  ) -> Int {
    var writer = Writer(next: start)
    writer.byte(Tag.id)
    writer.byte(UInt8(UserID.textLength))
    row.id.writeText(to: UnsafeMutableRawBufferPointer(start: writer.next, count: UserID.textLength))
    writer.next += UserID.textLength
    writer.text(Tag.email, email.span)
    writer.text(Tag.name, name.span)
    writer.byte(Tag.status)
    writer.varint(UInt64(row.status.rawValue))
    writer.byte(Tag.createdAt)
    let timeLength = writer.next
    writer.byte(0)
    writer.time(row.createdAt)
    timeLength.storeBytes(of: UInt8(writer.next - timeLength - 1), as: UInt8.self)
    return writer.next - start
  }

  /// Returns the field of the page token, the last field of its message.
  static func pageTokenField(_ pageToken: String) -> [UInt8] {
    let count = fieldLength(pageToken.utf8.count)
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      // A field without text has no bytes, and an array without bytes no buffer.
      guard let start = buffer.baseAddress, count > 0 else { return }
      var writer = Writer(next: UnsafeMutableRawPointer(start))
      writer.text(Tag.pageToken, pageToken.utf8Span.span)
      initialized = count
    }
  }

  /// The tags of the fields of `user.v1.User`: number and wire type.
  private enum Tag {
    static let id: UInt8 = 1 << 3 | 2
    static let email: UInt8 = 2 << 3 | 2
    static let name: UInt8 = 3 << 3 | 2
    static let status: UInt8 = 4 << 3 | 0
    static let createdAt: UInt8 = 5 << 3 | 2
    static let pageToken: UInt8 = 6 << 3 | 2
    static let seconds: UInt8 = 1 << 3 | 0
    static let nanos: UInt8 = 2 << 3 | 0
  }

  /// Returns the length of a varint: one byte for each 7 bits.
  private static func length(_ value: UInt64) -> Int { (70 - (value | 1).leadingZeroBitCount) / 7 }

  /// Returns the length of a field with `count` bytes of text; 0 for an empty text, which proto3 omits.
  private static func fieldLength(_ count: Int) -> Int {
    count == 0 ? 0 : 1 + length(UInt64(count)) + count
  }

  /// Writes without checks of room, which the caller provides.
  private struct Writer {
    var next: UnsafeMutableRawPointer

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

    mutating func text(_ tag: UInt8, _ utf8: Span<UInt8>) {
      guard !utf8.isEmpty else { return }
      byte(tag)
      varint(UInt64(utf8.count))
      utf8.withUnsafeBytes { next.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
      next += utf8.count
    }

    /// Writes the fields of a google.protobuf.Timestamp.
    mutating func time(_ time: Timestamp) {
      let (seconds, nanos) = time.secondsAndNanos
      if seconds != 0 {
        byte(Tag.seconds)
        varint(UInt64(bitPattern: seconds))
      }
      if nanos != 0 {
        byte(Tag.nanos)
        varint(nanos)
      }
    }
  }
}

extension Timestamp {
  /// The time as google.protobuf.Timestamp counts it: nanoseconds count forward from the second, also before 1970.
  var secondsAndNanos: (seconds: Int64, nanos: UInt64) {
    let (seconds, rest) = microsecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000)
    return rest < 0
      ? (seconds - 1, UInt64(rest + 1_000_000) * 1_000) : (seconds, UInt64(rest) * 1_000)
  }
}
