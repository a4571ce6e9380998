public import GRPCCore
import UserDomain

/// A `user.v1.User` to be sent: a user, and the page token that the last of a page carries.
struct UserMessage: Sendable {
  let user: User
  var pageToken = ""
}

/// Bytes of a transport that takes several messages at once, each with gRPC's prefix in front: a zero, and
/// its length in four bytes, the most significant first.
public protocol FramedMessageBytes: GRPCContiguousBytes {
  /// The messages in `frames`.
  init(frames: [UInt8])
}

struct UserMessageSerializer: MessageSerializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ message: UserMessage) throws -> Bytes {
    let encoding = UserMessageEncoding(message)
    var bytes = Bytes(repeating: 0, count: encoding.count)
    bytes.withUnsafeMutableBytes { encoding.write(to: $0) }
    return bytes
  }
}

/// Writes a page of users as messages one after the other. Only for transports whose bytes are
/// ``FramedMessageBytes``.
struct UserPageSerializer: MessageSerializer {
  private static let prefixLength = 5

  func serialize<Bytes: GRPCContiguousBytes>(_ page: [UserMessage]) throws -> Bytes {
    guard let type = Bytes.self as? any FramedMessageBytes.Type,
      let bytes = type.init(frames: frames(page)) as? Bytes
    else { throw RPCError(code: .internalError, message: "the transport takes no pages") }
    return bytes
  }

  private func frames(_ page: [UserMessage]) -> [UInt8] {
    let encodings = page.map { UserMessageEncoding($0) }
    let count = encodings.reduce(0) { $0 + Self.prefixLength + $1.count }
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      let buffer = UnsafeMutableRawBufferPointer(buffer)
      var position = 0
      for encoding in encodings {
        buffer[position] = 0
        buffer.storeBytes(of: UInt32(encoding.count).bigEndian, toByteOffset: position + 1, as: UInt32.self)
        position += Self.prefixLength
        encoding.write(
          to: UnsafeMutableRawBufferPointer(rebasing: buffer[position..<position + encoding.count]))
        position += encoding.count
      }
      initialized = count
    }
  }
}

/// The wire format of a user (protobuf.dev/programming-guides/encoding): the bytes that SwiftProtobuf would
/// write, but without the message in between. Listings are made of nothing else.
struct UserMessageEncoding {
  private let message: UserMessage
  private let seconds: Int64
  private let nanos: UInt64
  private let timeLength: Int
  /// How many bytes the message has.
  let count: Int

  init(_ message: UserMessage) {
    self.message = message
    let user = message.user
    (seconds, nanos) = user.createdAt.secondsAndNanos
    timeLength =
      (seconds == 0 ? 0 : 1 + Self.length(UInt64(bitPattern: seconds)))
      + (nanos == 0 ? 0 : 1 + Self.length(nanos))
    count =
      2 + UserID.textLength + Self.length(user.email.address) + Self.length(user.name.text)
      + 1 + Self.length(UInt64(user.status.rawValue)) + 2 + timeLength + Self.length(message.pageToken)
  }

  /// Writes the message to `buffer`, which has exactly ``count`` bytes.
  func write(to buffer: UnsafeMutableRawBufferPointer) {
    let user = message.user
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
  var secondsAndNanos: (seconds: Int64, nanos: UInt64) {
    let (seconds, rest) = microsecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000)
    return rest < 0
      ? (seconds - 1, UInt64(rest + 1_000_000) * 1_000) : (seconds, UInt64(rest) * 1_000)
  }
}
