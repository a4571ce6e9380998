import GRPCCore
import GRPCNghttp2Transport
import GRPCProtobuf
import SwiftProtobuf

/// A request message, and whether it was compressed.
struct Received<Message: SwiftProtobuf.Message>: Sendable {
  let message: Message
  let isCompressed: Bool
}

struct ReceivedDeserializer<Message: SwiftProtobuf.Message>: MessageDeserializer {
  func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> Received<Message> {
    Received(
      message: try ProtobufDeserializer<Message>().deserialize(bytes),
      isCompressed: (bytes as? MessageBytes)?.isCompressed ?? false)
  }
}

/// A response message, and whether it may be compressed.
struct Reply<Message: SwiftProtobuf.Message>: Sendable {
  let message: Message
  var isCompressed = false
}

struct ReplySerializer<Message: SwiftProtobuf.Message>: MessageSerializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ reply: Reply<Message>) throws -> Bytes {
    let bytes: Bytes = try ProtobufSerializer<Message>().serialize(reply.message)
    guard var own = bytes as? MessageBytes else { return bytes }
    own.isCompressed = reply.isCompressed
    return own as? Bytes ?? bytes
  }
}
