import UserDomain

/// The wire format of a user (protobuf.dev/programming-guides/encoding): the bytes that SwiftProtobuf would write,
/// without a message in between. Every user in a response is encoded by it.
struct UserMessageEncoding {
  private let row: UserRow
  private let seconds: Int64
  private let nanos: UInt64
  private let timeLength: Int
  /// The length of the message in bytes.
  let count: Int

  /// Prepares the message of a row that a read lends.
  init(_ row: UserRow, _ email: UTF8Span, _ name: UTF8Span) {
    self.row = row
    (seconds, nanos) = row.createdAt.secondsAndNanos
    timeLength =
      (seconds == 0 ? 0 : 1 + Self.length(UInt64(bitPattern: seconds)))
      + (nanos == 0 ? 0 : 1 + Self.length(nanos))
    count =
      2 + UserID.textLength + Self.fieldLength(email.count) + Self.fieldLength(name.count)
      + 1 + Self.length(UInt64(row.status.rawValue)) + 2 + timeLength
  }

  /// Writes the message to `buffer`, which has exactly ``count`` bytes. The texts must be those given to the
  /// initializer.
  func write(_ email: UTF8Span, _ name: UTF8Span, to buffer: UnsafeMutableRawBufferPointer) {
    var writer = Writer(buffer: buffer)
    writer.byte(Tag.id)
    writer.byte(UInt8(UserID.textLength))
    row.id.writeText(to: UnsafeMutableRawBufferPointer(rebasing: buffer[writer.position...]))
    writer.position += UserID.textLength
    writer.text(Tag.email, email.span)
    writer.text(Tag.name, name.span)
    writer.byte(Tag.status)
    writer.varint(UInt64(row.status.rawValue))
    writer.byte(Tag.createdAt)
    writer.byte(UInt8(timeLength))
    if seconds != 0 {
      writer.byte(Tag.seconds)
      writer.varint(UInt64(bitPattern: seconds))
    }
    if nanos != 0 {
      writer.byte(Tag.nanos)
      writer.varint(nanos)
    }
  }

  /// Returns the field of the page token, the last field of its message.
  static func pageTokenField(_ pageToken: String) -> [UInt8] {
    let count = fieldLength(pageToken.utf8.count)
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      var writer = Writer(buffer: UnsafeMutableRawBufferPointer(buffer))
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

  private struct Writer {
    let buffer: UnsafeMutableRawBufferPointer
    var position = 0

    mutating func byte(_ byte: UInt8) {
      buffer[position] = byte
      position += 1
    }

    mutating func varint(_ value: UInt64) {
      var rest = value
      while rest > 0x7f {
        byte(UInt8(truncatingIfNeeded: rest) | 0x80)
        rest >>= 7
      }
      byte(UInt8(rest))
    }

    mutating func text(_ tag: UInt8, _ utf8: Span<UInt8>) {
      guard !utf8.isEmpty else { return }
      byte(tag)
      varint(UInt64(utf8.count))
      utf8.withUnsafeBytes {
        UnsafeMutableRawBufferPointer(rebasing: buffer[position..<position + utf8.count]).copyMemory(from: $0)
      }
      position += utf8.count
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
