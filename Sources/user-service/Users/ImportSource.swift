import Dispatch
import Foundation
import UserFiles

/// Reads the rows of a file on demand.
final class ImportSource {
  /// The size of the file in bytes; nil if it is not a regular file.
  let size: Int?
  /// The number of bytes read so far.
  private(set) var position = 0
  /// The first line of a CSV file, which files of rejected rows repeat.
  var header: [UInt8] { parser.header }
  /// The file's identity; nil if it is not a regular file.
  let identity: FileIdentity?

  private let path: String
  private let handle: FileHandle
  private var parser: UserFileParser
  private var rows: ArraySlice<UserFileRow> = []
  private var isAtEnd = false
  // Reading may block on a slow disk or a pipe, so it runs on a queue and not on a shared thread.
  private let queue = DispatchQueue(label: "import.reader")

  private static let pieceSize = 262_144

  /// - Throws: `FileFailure` if the file cannot be opened.
  init(_ path: String, _ format: ImportFormat) throws {
    self.path = path
    parser = UserFileParser(format)
    if path == "-" {
      (handle, size, identity) = (.standardInput, nil, nil)
      return
    }
    do {
      handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
    } catch {
      throw FileFailure("\(path) cannot be read")
    }
    identity = FileIdentity(path: path)
    size = identity.map { Int($0.size) }
  }

  /// Returns the next row, or nil at the end of the file.
  ///
  /// - Throws: `FileFailure` if the file cannot be read or parsed further.
  func next() async throws -> UserFileRow? {
    while rows.isEmpty, !isAtEnd {
      do {
        let piece = try await nextPiece()
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

  private func nextPiece() async throws -> [UInt8] {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { [handle] in
        continuation.resume(with: Result { try Self.read(handle.fileDescriptor) })
      }
    }
  }

  /// Returns the bytes that have arrived, and waits only if none have: the rows of a slow pipe are sent when they come.
  /// Returns no bytes at the end of the file.
  ///
  /// - Throws: `POSIXError`.
  private static func read(_ descriptor: Int32) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: pieceSize) { buffer, count in
      while true {
        // Foundation's read would wait until the whole piece has arrived.
        let result = Foundation.read(descriptor, buffer.baseAddress, pieceSize)
        if result >= 0 {
          count = result
          return
        }
        guard errno == EINTR else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
      }
    }
  }
}
