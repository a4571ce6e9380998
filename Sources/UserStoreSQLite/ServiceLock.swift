import Foundation
import Synchronization
public import UserStore

/// The lock for serving a database: an advisory lock (flock(2)) on `DATABASE.lock`, a file beside it.
///
/// The kernel releases it when the process ends, however it ends. Commands that only migrate or read do not need it:
/// SQLite's own locks keep them apart.
public final class ServiceLock: Sendable {
  private let path: String
  private let file: String
  /// The descriptor that holds the lock; nil while this process does not hold it.
  private let descriptor = Mutex<Int32?>(nil)

  /// Creates the lock of the database at `path`, without acquiring it.
  ///
  /// - Throws: `StoreError.inaccessible`, `.strayLog`, or `.missing` unless `mayCreate`, for a database that cannot be
  ///   served.
  public init(database path: String, mayCreate: Bool) throws(StoreError) {
    try DatabaseFiles(path).check(mayCreate: mayCreate)
    self.path = path
    // The same lock for every path that leads to the database.
    file = DatabaseFiles.resolved(path) + ".lock"
  }

  deinit {
    release()
  }

  /// Acquires the lock, unless another process holds it. Returns whether this process holds it now.
  ///
  /// - Throws: `StoreError.inaccessible` if the file cannot be created, or the file system cannot lock files.
  public func acquire() throws(StoreError) -> Bool {
    if descriptor.withLock({ $0 != nil }) { return true }
    while true {
      let opened = open(file, O_CREAT | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR)
      guard opened >= 0 else { throw failure("open") }
      guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
        let isHeld = errno == EWOULDBLOCK
        let failure = failure("lock")
        close(opened)
        if isHeld { return false }
        throw failure
      }
      if isCurrent(opened) {
        note(opened)
        descriptor.withLock { $0 = opened }
        return true
      }
      // The process that held the lock has deleted the file meanwhile.
      close(opened)
    }
  }

  private func failure(_ verb: String) -> StoreError {
    .inaccessible(path: path, reason: "cannot \(verb) \(file): \(String(cString: strerror(errno)))")
  }

  /// Returns whether the path still leads to the open file.
  private func isCurrent(_ opened: Int32) -> Bool {
    var (ours, current) = (stat(), stat())
    return fstat(opened, &ours) == 0 && stat(file, &current) == 0 && ours.st_ino == current.st_ino
      && ours.st_dev == current.st_dev
  }

  /// Records which process holds the lock. Only messages need it, so a full disk does not matter.
  private func note(_ opened: Int32) {
    // The umask may have removed the owner's rights.
    _ = fchmod(opened, S_IRUSR | S_IWUSR)
    let process = Array("\(getpid())\n".utf8)
    if ftruncate(opened, 0) == 0 { _ = pwrite(opened, process, process.count, 0) }
  }

  /// The recorded id of the process that holds the lock; nil if unknown.
  public var holder: Int32? {
    let opened = open(file, O_RDONLY | O_CLOEXEC)
    guard opened >= 0 else { return nil }
    defer { close(opened) }
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = pread(opened, &bytes, bytes.count, 0)
    return count > 0 ? Int32(String(decoding: bytes[..<count].prefix { $0 != 10 }, as: UTF8.self)) : nil
  }

  /// Releases the lock, if this process holds it, and deletes its file.
  public func release() {
    descriptor.withLock { descriptor in
      guard let held = descriptor else { return }
      descriptor = nil
      // Deleted while the lock is held: a process that has opened the file then finds that its path leads elsewhere.
      unlink(file)
      close(held)
    }
  }
}
