import GRPCCore
import UserDomain

/// A `user.v1.User` to be sent: a user, and the page token that the last of a page carries.
struct UserMessage: Sendable {
  let user: User
  var pageToken = ""
}

/// Writes users in protobuf's wire format (protobuf.dev/programming-guides/encoding), with the bytes that SwiftProtobuf
/// would write, but without the message in between: listings are made of nothing else.
struct UserMessageSerializer: MessageSerializer {
  /// Tags of the fields of `user.v1.User`: number and wire type.
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

  func serialize<Bytes: GRPCContiguousBytes>(_ message: UserMessage) throws -> Bytes {
    let user = message.user
    let (seconds, nanos) = user.createdAt.secondsAndNanos
    let timeLength =
      (seconds == 0 ? 0 : 1 + Self.length(UInt64(bitPattern: seconds)))
      + (nanos == 0 ? 0 : 1 + Self.length(nanos))
    let count =
      2 + UserID.textLength + Self.length(user.email.address) + Self.length(user.name.text)
      + 1 + Self.length(UInt64(user.status.rawValue)) + 2 + timeLength + Self.length(message.pageToken)
    var bytes = Bytes(repeating: 0, count: count)
    bytes.withUnsafeMutableBytes { buffer in
      var writer = Writer(buffer: buffer)
      writer.byte(Tag.id)
      writer.byte(UInt8(UserID.textLength))
      user.id.writeText(to: UnsafeMutableRawBufferPointer(rebasing: buffer[writer.position...]))
      writer.position += UserID.textLength
      writer.text(Tag.email, user.email.address)
      writer.text(Tag.name, user.name.text)
      writer.byte(Tag.status)
      writer.varint(UInt64(user.status.rawValue))
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
      writer.text(Tag.pageToken, message.pageToken)
    }
    return bytes
  }

  /// Bytes of a varint: one for each 7 bits.
  private static func length(_ value: UInt64) -> Int { (70 - (value | 1).leadingZeroBitCount) / 7 }

  /// Bytes of a field with text; none if it is empty, as proto3 has it.
  private static func length(_ text: String) -> Int {
    let count = text.utf8.count
    return count == 0 ? 0 : 1 + length(UInt64(count)) + count
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

    mutating func text(_ tag: UInt8, _ text: String) {
      var text = text
      text.withUTF8 { utf8 in
        guard !utf8.isEmpty else { return }
        byte(tag)
        varint(UInt64(utf8.count))
        UnsafeMutableRawBufferPointer(rebasing: buffer[position..<position + utf8.count])
          .copyMemory(from: UnsafeRawBufferPointer(utf8))
        position += utf8.count
      }
    }
  }
}

extension Timestamp {
  /// As google.protobuf.Timestamp has it: nanoseconds count forward from the second, also before 1970.
  fileprivate var secondsAndNanos: (seconds: Int64, nanos: UInt64) {
    let (seconds, rest) = microsecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000)
    return rest < 0
      ? (seconds - 1, UInt64(rest + 1_000_000) * 1_000) : (seconds, UInt64(rest) * 1_000)
  }
}
