import Dispatch
import Foundation
import UserFiles

/// The rows of a file, read as they are asked for.
///
/// `@unchecked Sendable`: one task asks for rows, one after another; the bytes are read on a queue, while it waits.
final class ImportSource: @unchecked Sendable {
  /// Bytes of the file; nil if it is none that has a size.
  let size: Int?
  /// Bytes that were read so far.
  private(set) var position = 0
  /// The first line of a CSV file, for files of its rows.
  var header: [UInt8] { parser.header }

  private let path: String
  private let handle: FileHandle
  private var parser: UserFileParser
  private var rows: ArraySlice<UserFileRow> = []
  private var isAtEnd = false
  /// Reading may wait for a slow disk, or for whoever writes to standard input: not on a thread that others need.
  private let queue = DispatchQueue(label: "import.reader")

  private static let pieceSize = 65_536

  /// - Throws: `FileFailure` if the file cannot be opened.
  init(_ path: String, _ format: UserFileFormat) throws {
    self.path = path
    parser = UserFileParser(format)
    if path == "-" {
      (handle, size) = (.standardInput, nil)
      return
    }
    do {
      handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      size = attributes[.type] as? FileAttributeType == .typeRegular ? attributes[.size] as? Int : nil
    } catch {
      throw FileFailure("\(path) cannot be read")
    }
  }

  /// The next row, or nil at the end of the file.
  ///
  /// - Throws: `FileFailure` if the file cannot be read, or makes no sense any more.
  func next() async throws -> UserFileRow? {
    while rows.isEmpty, !isAtEnd {
      do {
        let piece = try await read()
        position += piece.count
        isAtEnd = piece.isEmpty
        rows = try (isAtEnd ? parser.finish() : parser.append(piece))[...]
      } catch let error as UserFileError {
        throw FileFailure("\(path), \(error)")
      } catch {
        throw FileFailure("\(path) cannot be read")
      }
    }
    return rows.popFirst()
  }

  private func read() async throws -> Data {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { [handle] in
        continuation.resume(with: Result { try handle.read(upToCount: Self.pieceSize) ?? Data() })
      }
    }
  }
}
