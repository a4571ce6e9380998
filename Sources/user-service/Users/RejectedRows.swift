import Foundation
import UserFiles

/// The file of rejected rows, which is made for the first of them.
///
/// It may hold passwords: only its owner can read it.
struct RejectedRows {
  private let path: String
  private let writer: UserFileWriter
  private var handle: FileHandle?
  private(set) var count = 0

  init(_ path: String, _ format: UserFileFormat) {
    self.path = path
    writer = UserFileWriter(format)
  }

  /// Writes a row, with the reason for it.
  ///
  /// - Throws: `SmallFile.Failure` if it cannot be written.
  mutating func add(_ row: UserFileRow, _ header: [String], reason: String) throws {
    do {
      let handle = try handle ?? open(header)
      self.handle = handle
      try handle.write(contentsOf: Data(writer.rejected(row, header, reason: reason).utf8))
      count += 1
    } catch {
      throw SmallFile.Failure("\(path) cannot be written: \(error.localizedDescription)")
    }
  }

  private func open(_ header: [String]) throws -> FileHandle {
    // What an import before has left would keep its mode.
    if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
    guard
      FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]),
      let handle = FileHandle(forWritingAtPath: path)
    else { throw CocoaError(.fileWriteNoPermission) }
    try handle.write(contentsOf: Data(writer.rejectedHeader(header).utf8))
    return handle
  }
}
