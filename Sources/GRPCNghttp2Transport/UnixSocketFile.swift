import Foundation

/// The file of a Unix-domain socket on which this process listens (unix(7)).
///
/// Creating the file locks the folder with flock(2), so that two services that start at once do not both replace a
/// stale file.
struct UnixSocketFile: Sendable {
  /// The longest path in bytes: the size of sun_path without its NUL.
  static let longestPath = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

  private let path: String
  private let device: dev_t
  private let inode: ino_t

  /// Creates the file with the permissions `mode`, and replaces a socket on which no process listens.
  ///
  /// The file never has more permissions than `mode`, regardless of the umask.
  ///
  /// - Returns: the file, and a bound, listening socket, which the caller owns.
  /// - Throws: `BindFailure` if a process listens there, the file is not a socket, or it cannot be created.
  static func bind(_ path: String, mode: UInt32) throws(BindFailure) -> (file: UnixSocketFile, socket: CInt) {
    guard var address = address(of: path) else {
      throw BindFailure("the path has \(path.utf8.count) bytes; a Unix socket's has \(longestPath) at most")
    }
    let folder = try lockFolder(of: path)
    defer { close(folder) }
    try removeStale(path, &address)
    let descriptor = socket(AF_UNIX, streamType, 0)
    guard descriptor >= 0 else { throw BindFailure(unix: errno, path) }
    do throws(BindFailure) {
      // Linux gives the file the socket's permissions without those in the umask, so it is never more accessible.
      guard fchmod(descriptor, mode_t(mode)) == 0, bind(descriptor, &address) == 0 else {
        throw BindFailure(unix: errno, path)
      }
      var information = stat()
      guard chmod(path, mode_t(mode)) == 0, lstat(path, &information) == 0,
        // Listens before the folder is unlocked; otherwise another service would find the file stale.
        listen(descriptor, Nghttp2ServerTransport.backlog) == 0
      else {
        let failure = BindFailure(unix: errno, path)
        unlink(path)
        throw failure
      }
      return (UnixSocketFile(path: path, device: information.st_dev, inode: information.st_ino), descriptor)
    } catch {
      close(descriptor)
      throw error
    }
  }

  /// Removes the file, unless another one has replaced it. Call it before closing the socket, because a file with a
  /// listening process is not replaced.
  func remove() {
    var information = stat()
    guard lstat(path, &information) == 0, information.st_dev == device, information.st_ino == inode else {
      return
    }
    unlink(path)
  }

  /// Removes a socket on which no process listens.
  private static func removeStale(_ path: String, _ address: inout sockaddr_un) throws(BindFailure) {
    var information = stat()
    guard lstat(path, &information) == 0 else {
      if errno == ENOENT { return }
      throw BindFailure(unix: errno, path)
    }
    guard information.st_mode & S_IFMT == S_IFSOCK else {
      throw BindFailure("the file there is not a socket; remove it or choose another path")
    }
    // Non-blocking: a full accept queue also means that a process listens.
    let probe = socket(AF_UNIX, streamType, 0)
    guard probe >= 0 else { throw BindFailure(unix: errno, path) }
    defer { close(probe) }
    guard connect(probe, &address) != 0 else { throw inUse }
    switch errno {
    case ECONNREFUSED, ENOENT: break
    case EAGAIN, EINPROGRESS: throw inUse
    case EPROTOTYPE:
      throw BindFailure("the socket there is of another type; remove it or choose another path")
    case let code:
      throw BindFailure("cannot determine whether another program listens there: \(BindFailure.words(code))")
    }
    guard unlink(path) == 0 || errno == ENOENT else {
      throw BindFailure(unix: errno, path)
    }
  }

  private static var inUse: BindFailure {
    BindFailure("another program listens there; stop it or choose another path")
  }

  /// Opens the folder of `path` and locks it. Services hold this lock only briefly at their start. If it stays locked
  /// for a second, another program holds it, and the lock is skipped.
  private static func lockFolder(of path: String) throws(BindFailure) -> CInt {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
    let folder = parts.isEmpty ? "." : parts.joined(separator: "/") + "/"
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw BindFailure(unix: errno, path) }
    for _ in 0..<100 {
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK { break }
      usleep(10_000)
    }
    return descriptor
  }

  private static var streamType: CInt {
    CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
  }

  private static func address(of path: String) -> sockaddr_un? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard (1...longestPath).contains(bytes.count), !bytes.contains(0) else { return nil }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return address
  }

  private static func bind(_ descriptor: CInt, _ address: inout sockaddr_un) -> CInt {
    withPointer(to: &address) { Foundation.bind(descriptor, $0, $1) }
  }

  private static func connect(_ descriptor: CInt, _ address: inout sockaddr_un) -> CInt {
    withPointer(to: &address) { Foundation.connect(descriptor, $0, $1) }
  }

  private static func withPointer(
    to address: inout sockaddr_un, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
  ) -> CInt {
    withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}
