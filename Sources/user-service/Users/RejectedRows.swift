import Foundation
import UserFiles

/// The file of rejected rows, which is made for the first of them, and never in place of another: that may be one that
/// somebody is correcting.
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

  /// Writes a row, with the reason for it.
  ///
  /// - Throws: `FileFailure` if it cannot be written.
  mutating func add(_ row: UserFileRow, _ header: [String], reason: String) throws {
    do {
      let handle = try handle ?? open(header)
      self.handle = handle
      try handle.write(contentsOf: Data(writer.rejected(row, header, reason: reason).utf8))
      count += 1
    } catch {
      throw FileFailure("\(path) cannot be written: \(error.localizedDescription)")
    }
  }

  private func open(_ header: [String]) throws -> FileHandle {
    let handle = try FileHandle(creatingPrivate: path)
    try handle.write(contentsOf: Data(writer.rejectedHeader(header).utf8))
    return handle
  }
}
