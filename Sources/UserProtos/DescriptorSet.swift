import Foundation

/// The contract as a serialized google.protobuf.FileDescriptorSet, imports included: what server reflection
/// serves.
public enum DescriptorSet {
  /// The bytes.
  public static let serialized = [UInt8](
    Data(base64Encoded: DescriptorSetText.base64, options: .ignoreUnknownCharacters) ?? Data())
}
