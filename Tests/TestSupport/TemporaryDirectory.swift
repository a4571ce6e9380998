public import Foundation

/// A new folder that is removed with its content when this object is.
public final class TemporaryDirectory: Sendable {
  /// The location of the folder.
  public let url: URL

  /// Creates the folder.
  public init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("user-service-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit {
    // A folder left behind in the system's temporary folder harms no test.
    try? FileManager.default.removeItem(at: url)
  }

  /// Returns the path of a file in the folder.
  public func path(_ name: String) -> String {
    url.appendingPathComponent(name).path
  }
}
