import GRPCCore

/// Passes serialized messages through unchanged.
struct PlainBytes: MessageSerializer, MessageDeserializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }

  func deserialize(_ bytes: some GRPCContiguousBytes) throws -> [UInt8] {
    bytes.withUnsafeBytes { Array($0) }
  }
}
