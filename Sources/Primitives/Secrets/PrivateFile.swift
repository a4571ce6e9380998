public import Foundation

/// A file with secrets, read whole. Links are followed. Permissions are checked on the open descriptor, so the checked
/// file is the file that is read.
public struct PrivateFile: Hashable, Sendable {
  /// The reason why a file cannot be read. It prints as one line that names the path.
  public struct Failure: Error, Hashable, CustomStringConvertible {
    /// The path as given.
    public let path: String
    /// The problem, without the path.
    public let reason: String
    /// Whether no file has the path.
    public let isMissing: Bool

    public var description: String { "\(path): \(reason)" }
  }

  /// The maximum size of a file, 1 MiB: keys are far shorter, and a wrong path must not fill the memory.
  public static let longest = 1 << 20

  /// The content of the file.
  public let contents: Data
  /// The users that can also use the file, and the remedy, in one line without the path; nil for a private file.
  public let exposure: String?

  /// Reads the file at `path`. An exposed file is read too: the caller decides about ``exposure``.
  ///
  /// - Throws: `Failure` if the file cannot be opened or read, or is longer than ``longest``.
  public init(path: String) throws(Failure) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.failure(path, errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Self.failure(path, errno) }
    contents = try Self.contents(of: descriptor, path)
    exposure = Self.exposure(
      of: path, mode: status.st_mode, group: status.st_gid, ownGroups: Self.processGroups)
  }

  /// Returns the problem of a file with this mode and group. nil if only its owner can write it, and only its owner and
  /// processes with a group in `ownGroups` can read it.
  package static func exposure(of path: String, mode: mode_t, group: gid_t, ownGroups: Set<gid_t>) -> String?
  {
    let permissions = mode & 0o777
    let text = String(permissions, radix: 8)
    let found = "its mode is \(String(repeating: "0", count: max(4 - text.count, 0)))\(text)"
    if permissions & 0o037 != 0 {
      return """
        \(found): users other than its owner can use this file, which holds secrets; run 'chmod 600 \(path)'
        """
    }
    if permissions & 0o040 != 0, !ownGroups.contains(group) {
      return """
        \(found): users other than its owner can read this file, which holds secrets, because its group, \(group), is not \
        a group of this process; run 'chmod 600 \(path)', or give the file such a group
        """
    }
    return nil
  }

  /// The effective group and the supplementary groups (credentials(7)).
  private static var processGroups: Set<gid_t> {
    var groups: Set<gid_t> = [getegid()]
    let count = getgroups(0, nil)
    guard count > 0 else { return groups }
    var others = [gid_t](repeating: 0, count: Int(count))
    // EINVAL if the process got another group meanwhile: then only the effective group counts.
    let filled = getgroups(count, &others)
    if filled > 0 { groups.formUnion(others.prefix(Int(filled))) }
    return groups
  }

  private static func contents(of descriptor: Int32, _ path: String) throws(Failure) -> Data {
    var contents = Data()
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failure(path, errno) }
      if count == 0 { return contents }
      contents.append(contentsOf: buffer.prefix(count))
      guard contents.count <= longest else {
        throw Failure(path: path, reason: "is larger than 1 MiB", isMissing: false)
      }
    }
  }

  private static func failure(_ path: String, _ code: Int32) -> Failure {
    Failure(path: path, reason: String(cString: strerror(code)), isMissing: code == ENOENT)
  }
}

extension PrivateFile {
  /// Creates a file at `path` that only its owner can read, from its first moment. The handle closes it.
  ///
  /// - Throws: `POSIXError`, with `EEXIST` if the path exists.
  public static func create(at path: String) throws(POSIXError) -> FileHandle {
    let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR)
    guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  /// Writes the file at `path`, which must not be a link, atomically: the new bytes are on the disk before they replace
  /// the old ones. The rename is durable once the caller has synced the folder.
  ///
  /// The new file keeps the owner, the group and the group's read permission of the file that it replaces. Two
  /// processes with one id, in two containers, must not write at the same time: the caller must lock.
  ///
  /// - Throws: `Failure` that names `path`; the file is unchanged.
  public static func replace(_ path: String, with contents: Data) throws(Failure) {
    let temporary = "\(path).\(getpid()).new"
    // A process with the same id may have left the file behind when it was killed.
    unlink(temporary)
    let file: FileHandle
    do { file = try create(at: temporary) } catch { throw failure(path, error.code.rawValue) }
    do {
      try adopt(file.fileDescriptor, replacing: path)
      try file.write(contentsOf: contents)
      try file.synchronize()
    } catch {
      unlink(temporary)
      throw Failure(path: path, reason: "cannot be written: \(error.fileProblem)", isMissing: false)
    }
    guard rename(temporary, path) == 0 else {
      let failure = failure(path, errno)
      unlink(temporary)
      throw failure
    }
  }

  /// Gives the new file behind `descriptor` the owner, the group and the group's read permission of the file at
  /// `target`, which it replaces. So a service can still read a file that root, or another member of the group, has
  /// written. If `target` does not exist, a file written by root gets the owner of its folder.
  private static func adopt(_ descriptor: Int32, replacing target: String) throws(Failure) {
    var model = stat()
    let replaces = stat(target, &model) == 0
    guard replaces || stat(URL(fileURLWithPath: target).deletingLastPathComponent().path, &model) == 0 else {
      throw failure(target, errno)
    }
    if geteuid() == 0 {
      guard fchown(descriptor, model.st_uid, model.st_gid) == 0 else { throw failure(target, errno) }
    } else if replaces, model.st_gid != getegid(), fchown(descriptor, uid_t.max, model.st_gid) != 0 {
      // EPERM: the process does not have the group. Then only the owner can read the file, which exposes nothing.
      return
    }
    guard replaces else { return }
    guard fchmod(descriptor, S_IRUSR | S_IWUSR | (model.st_mode & S_IRGRP)) == 0 else {
      throw failure(target, errno)
    }
  }
}
