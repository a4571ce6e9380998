public import Foundation
import UserDomain

/// Where the service's own signing keys are kept: a file that only its owner can read.
public struct KeyFile: Hashable, Sendable {
  /// Its path.
  public let path: String

  /// The file at `path`, or where that leads as a symbolic link.
  public init(path: String) {
    self.path =
      (try? FileManager.default.destinationOfSymbolicLink(atPath: path)).map { destination in
        URL(fileURLWithPath: destination, relativeTo: URL(fileURLWithPath: path)).path
      } ?? path  // Mostly no link at all.
  }

  /// The keys, made with the file if there is none yet. Safe against another process that does the same.
  ///
  /// - Throws: `KeyFailure`.
  public func openOrCreate(now: Date = Date()) throws(KeyFailure) -> KeyRing {
    if let ring = try read() { return ring }
    return try withLock { () throws(KeyFailure) in
      if let ring = try read() { return ring }
      let ring = KeyRing(now: now)
      try write(ring)
      return ring
    }
  }

  /// Adds a key that signs from now on. What the others have signed stays good for `overlap`.
  ///
  /// - Throws: `KeyFailure`, also if there is no file.
  public func rotate(overlap: Duration, now: Date = Date()) throws(KeyFailure) -> KeyRing {
    try withLock { () throws(KeyFailure) in
      guard let ring = try read() else {
        throw KeyFailure(path, "no such key file; 'user-service serve' makes one")
      }
      let rotated = ring.rotated(now: now, overlap: overlap)
      try write(rotated)
      return rotated
    }
  }

  /// The keys, or nil if there is no file.
  ///
  /// - Throws: `KeyFailure` if the file cannot be read, others than its owner can, or it holds no keys.
  public func read() throws(KeyFailure) -> KeyRing? {
    guard access(path, F_OK) == 0 else {
      if errno == ENOENT { return nil }
      throw failure()
    }
    if try Self.isExposed(path) {
      throw KeyFailure(path, "others than its owner can use this key file; run 'chmod 600' on it")
    }
    let contents: Data
    do {
      contents = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw KeyFailure(path, error.localizedDescription)
    }
    let ring: KeyRing
    do {
      ring = try Self.decoder.decode(KeyRing.self, from: contents)
    } catch {
      throw KeyFailure(
        path, "not a key file of user-service; restore a backup, or move it away to make new keys")
    }
    guard ring.signer != nil, ring.keys.allSatisfy(\.isIntact) else {
      throw KeyFailure(
        path, "a key is damaged, or none may sign; restore a backup, or move it away to make new keys")
    }
    return ring
  }

  /// Whether others than its owner can use the file.
  static func isExposed(_ path: String) throws(KeyFailure) -> Bool {
    try attributes(of: path, { $0[.posixPermissions] as? Int }).map { $0 & 0o077 != 0 } ?? true
  }

  private static func attributes<Value>(
    of path: String, _ value: ([FileAttributeKey: Any]) -> Value
  ) throws(KeyFailure) -> Value {
    do {
      return value(try FileManager.default.attributesOfItem(atPath: path))
    } catch {
      throw KeyFailure(path, error.localizedDescription)
    }
  }

  /// Gives a file that root writes to whom the one before belongs, or else the folder: the service, which
  /// then can read it.
  private func chown(_ temporary: String) throws(KeyFailure) {
    guard geteuid() == 0 else { return }
    let model = access(path, F_OK) == 0 ? path : folder
    let (user, group) = try Self.attributes(of: model) { attributes in
      (attributes[.ownerAccountID] as? Int, attributes[.groupOwnerAccountID] as? Int)
    }
    if let user, let group, Foundation.chown(temporary, UInt32(user), UInt32(group)) != 0 { throw failure() }
  }

  private var folder: String { URL(fileURLWithPath: path).deletingLastPathComponent().path }

  /// Writes the file as a whole or not at all, and durably.
  private func write(_ ring: KeyRing) throws(KeyFailure) {
    let temporary = "\(path).\(getpid()).new"
    // One that a process of the same id has left behind when it was killed; the lock is ours.
    unlink(temporary)
    let descriptor = open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR)
    guard descriptor >= 0 else { throw failure() }
    do {
      let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
      try file.write(contentsOf: Self.encoder.encode(ring) + Data("\n".utf8))
      try file.synchronize()
    } catch {
      unlink(temporary)
      throw KeyFailure(path, "cannot be written: \(error.localizedDescription)")
    }
    do throws(KeyFailure) {
      try chown(temporary)
    } catch {
      unlink(temporary)
      throw error
    }
    guard rename(temporary, path) == 0 else {
      let failure = failure()
      unlink(temporary)
      throw failure
    }
  }

  /// Runs `body` while no other process changes the file. The lock is on the folder, because the file is
  /// replaced; the folder is synced at the end, so that the replacement lasts.
  private func withLock<Value>(_ body: () throws(KeyFailure) -> Value) throws(KeyFailure) -> Value {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure() }
    // Gives the lock back too (flock(2)).
    defer { close(descriptor) }
    guard flock(descriptor, LOCK_EX) == 0 else { throw failure() }
    let value = try body()
    guard fsync(descriptor) == 0 else { throw failure() }
    return value
  }

  private func failure() -> KeyFailure { KeyFailure(path, String(cString: strerror(errno))) }

  private static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .iso8601
    return encoder
  }

  private static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    return decoder
  }
}
