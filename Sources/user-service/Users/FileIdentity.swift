import Foundation

/// What distinguishes a regular file from others, and from itself before a change.
struct FileIdentity: Hashable, Codable {
  /// The number of the device, and of the file on it.
  let device: UInt64
  let number: UInt64
  /// The size in bytes.
  let size: UInt64
  /// When the contents were changed, in microseconds since 1970.
  let modified: Int64

  /// Returns the identity of the file at `path`, following links; nil if it is not a regular file.
  init?(path: String) {
    let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    // A file that cannot be looked at has no identity; reading it says why.
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
      attributes[.type] as? FileAttributeType == .typeRegular,
      let modified = attributes[.modificationDate] as? Date
    else { return nil }
    device = (attributes[.systemNumber] as? NSNumber)?.uint64Value ?? 0
    number = (attributes[.systemFileNumber] as? NSNumber)?.uint64Value ?? 0
    size = (attributes[.size] as? NSNumber)?.uint64Value ?? 0
    // A file system may have times that do not fit.
    self.modified = Int64(exactly: (modified.timeIntervalSince1970 * 1_000_000).rounded()) ?? .max
  }
}
