import Foundation
import Primitives
import UserFiles

/// A file of rows that an import did not store, each as it was read and with the reason.
///
/// It is created for the first such row, and never replaces an existing file, which may hold corrections.
/// It may hold passwords, so only its owner can read it.
/// It may hold passwords: only its owner can read it.
struct RejectedRows {
  let path: String
  private let writer: UserFileWriter
  private var handle: FileHandle?
  private(set) var count = 0

  init(_ path: String, _ format: UserFileFormat) {
    self.path = path
    writer = UserFileWriter(format)
  }

  /// Returns the first of `users.rejected.csv`, `users.rejected-2.csv` … that does not exist.
  static func freePath(_ stem: String, _ format: UserFileFormat) -> String {
    var number = 1
    while true {
      let path = "\(stem).rejected\(number == 1 ? "" : "-\(number)").\(format.rawValue)"
      if !FileManager.default.fileExists(atPath: path) { return path }
      number += 1
    }
  }

  /// Checks that the file can be created, and leaves nothing behind. Called before the first row is read.
  ///
  /// - Throws: `FileFailure` with the path and the reason.
  func check() throws {
    do {
      _ = try PrivateFile.create(at: path)
    } catch {
      throw FileFailure("\(path) cannot be created: \(String(cString: strerror(error.code.rawValue)))")
    }
    unlink(path)
  }

  /// Writes a row and the reason for its rejection.
  ///
  /// - Parameter header: the first line of the row's file, as the parser returns it.
  /// - Throws: `FileFailure` if the file cannot be written.
  mutating func add(_ row: UserFileRow, _ header: [UInt8], reason: String) throws {
    do {
      let handle = try handle ?? open(header)
      self.handle = handle
      try handle.write(contentsOf: Data(writer.rejected(row, reason: reason)))
      count += 1
    } catch {
      throw FileFailure("\(path) cannot be written: \(error.fileProblem)")
    }
  }

  private func open(_ header: [UInt8]) throws -> FileHandle {
    let handle = try PrivateFile.create(at: path)
    try handle.write(contentsOf: Data(writer.rejectedHeader(header)))
    return handle
  }
}
