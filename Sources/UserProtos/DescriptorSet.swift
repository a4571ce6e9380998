import Foundation

/// The contract as a serialized google.protobuf.FileDescriptorSet with its imports, which server reflection serves.
public enum DescriptorSet {
  /// The serialized bytes.
  public static let serialized = [UInt8](
    Data(base64Encoded: DescriptorSetText.base64, options: .ignoreUnknownCharacters) ?? Data())
}
