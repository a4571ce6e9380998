import Foundation
import Primitives
import UserFiles

/// A file of rows that an import did not store, each as it was read and with the reason.
///
/// It is created for the first such row, and never replaces an existing file, which may hold corrections. An import that
/// continues after an interruption appends to its own file. It may hold passwords: only its owner can read it.
struct RejectedRows {
  let path: String
  private let writer: UserFileWriter
  private var handle: FileHandle?
  /// Whether the file is that of an earlier run, to which rows are appended.
  private let isContinued: Bool

  /// - Parameter earlier: the path of the file of an earlier run; it is continued if it still exists and the path is the
  ///   same.
  init(_ path: String, _ format: UserFileFormat, earlier: String?) {
    self.path = path
    isContinued = path == earlier && FileManager.default.fileExists(atPath: path)
    writer = UserFileWriter(format)
  }

  /// Whether the file has rows.
  var exists: Bool { isContinued || handle != nil }

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
    if isContinued { return }
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
      let end = try handle.offset()
      do {
        try handle.write(contentsOf: Data(writer.rejected(row, reason: reason)))
      } catch {
        // A part of a row, as a full disk leaves it, would be glued to the next. The failure to write is the one to report.
        try? handle.truncate(atOffset: end)
        throw error
      }
    } catch {
      throw FileFailure("\(path) cannot be written: \(error.fileProblem)")
    }
  }

  private func open(_ header: [UInt8]) throws -> FileHandle {
    if isContinued {
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      try handle.seekToEnd()
      return handle
    }
    let handle = try PrivateFile.create(at: path)
    do {
      try handle.write(contentsOf: Data(writer.rejectedHeader(header)))
    } catch {
      unlink(path)
      throw error
    }
    return handle
  }
}
