import Foundation
import Primitives
import UserFiles

/// A file of rows that an import has not stored, each as it was read and with the reason. It is made for the first of
/// them, and never in place of another, which may be one that is being corrected.
///
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

  /// The first of `users.rejected.csv`, `users.rejected-2.csv` … that is not there yet.
  static func freePath(_ stem: String, _ format: UserFileFormat) -> String {
    var number = 1
    while true {
      let path = "\(stem).rejected\(number == 1 ? "" : "-\(number)").\(format.rawValue)"
      if !FileManager.default.fileExists(atPath: path) { return path }
      number += 1
    }
  }

  /// Makes sure that the file can be made, and leaves nothing behind: a row is not read before there is a place for it.
  ///
  /// - Throws: `FileFailure` that names the path and the reason.
  func check() throws {
    do {
      _ = try PrivateFile.create(at: path)
    } catch {
      throw FileFailure("\(path) cannot be made: \(String(cString: strerror(error.code.rawValue)))")
    }
    unlink(path)
  }

  /// Writes a row, with the reason for it.
  ///
  /// - Parameter header: the first line of the file that the row is from, as the parser has it.
  /// - Throws: `FileFailure` if it cannot be written.
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
