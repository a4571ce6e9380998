import Foundation

/// Why a file cannot be used.
struct FileFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

extension FileHandle {
  /// Makes a file that only its owner can read, from its first moment.
  ///
  /// - Throws: `POSIXError`, `EEXIST` if there is something of that name.
  convenience init(creatingPrivate path: String) throws {
    let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    self.init(fileDescriptor: descriptor, closeOnDealloc: true)
  }
}
