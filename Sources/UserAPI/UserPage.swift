public import GRPCCore
import UserDomain

/// The bytes of a transport that sends several messages at once. Each has gRPC's prefix: a zero, and the length in four
/// big-endian bytes.
public protocol FramedMessageBytes: GRPCContiguousBytes {
  /// Creates bytes with the messages in `frames`.
  init(frames: [UInt8])
}

/// A page of users as consecutive messages. Each has gRPC's prefix: a zero, and the length in four big-endian bytes.
struct UserPage: Sendable {
  private static let prefixLength = 5

  /// The messages.
  private(set) var frames: [UInt8] = []
  /// The offset of the last message's prefix.
  private var last = 0

  /// Creates an empty page with room for `rows` users of typical length.
  init(rows: Int = 0) {
    frames.reserveCapacity(160 * rows)
  }

  mutating func append(_ row: UserRow, _ email: UTF8Span, _ name: UTF8Span) {
    last = frames.count
    let room = Self.prefixLength + UserMessageEncoding.maximumCount(row, email, name)
    frames.append(addingCapacity: room) { output in
      output.withUnsafeMutableBufferPointer { buffer, count in
        let prefix = UnsafeMutableRawPointer(buffer.baseAddress!)
        let length = UserMessageEncoding.write(row, email, name, to: prefix + Self.prefixLength)
        precondition(Self.prefixLength + length <= buffer.count, "a user is longer than its maximum")
        Self.write(UInt32(length), to: prefix)
        count = Self.prefixLength + length
      }
    }
  }

  /// Whether the page has no users.
  var isEmpty: Bool { frames.isEmpty }

  /// Ends the page: adds the page token to the last user, as the last field of its message. The page must not be empty.
  mutating func end(pageToken: String) {
    frames += UserMessageEncoding.pageTokenField(pageToken)
    let length = UInt32(frames.count - last - Self.prefixLength)
    frames.withUnsafeMutableBytes { Self.write(length, to: $0.baseAddress! + last) }
  }

  private static func write(_ length: UInt32, to prefix: UnsafeMutableRawPointer) {
    prefix.storeBytes(of: 0, as: UInt8.self)
    prefix.storeBytes(of: length.bigEndian, toByteOffset: 1, as: UInt32.self)
  }
}

/// Serializes pages for a transport whose bytes are `Framed`.
struct UserPageSerializer<Framed: FramedMessageBytes>: MessageSerializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ page: UserPage) throws -> Bytes {
    // A router serializes to its transport's bytes, and the handler is registered for those.
    guard let bytes = Framed(frames: page.frames) as? Bytes else {
      throw RPCError(code: .internalError, message: "the transport cannot send pages")
    }
    return bytes
  }
}
