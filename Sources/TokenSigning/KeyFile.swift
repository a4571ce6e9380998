public import Foundation
import Primitives

/// The file of the service's own signing keys. Only its owner can write it, and others cannot read it.
public struct KeyFile: Hashable, Sendable {
  /// The path as given, which may lead to the file through symbolic links.
  public let path: String

  /// Creates a reference to the file at `path`, or at its target if that is a symbolic link.
  public init(path: String) {
    self.path = path
  }

  /// Returns the keys, and creates a missing file with a new key. Safe against another process doing the same.
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

  /// Adds a key that signs from now on. Tokens of the other keys stay valid for `overlap`.
  ///
  /// - Throws: `KeyFailure`, also if the file is missing.
  public func rotate(overlap: Duration, now: Date = Date()) throws(KeyFailure) -> KeyRing {
    try withLock { () throws(KeyFailure) in
      guard let ring = try read() else {
        throw KeyFailure(path, "no such key file; 'user-service serve' creates it")
      }
      let rotated = ring.rotated(now: now, overlap: overlap)
      try write(rotated)
      return rotated
    }
  }

  /// Returns the keys, or nil if the file is missing.
  ///
  /// - Throws: `KeyFailure` if the file is unreadable, usable by others than its owner, or without keys.
  public func read() throws(KeyFailure) -> KeyRing? {
    guard let contents = try contents() else { return nil }
    return try ring(contents)
  }

  /// Returns the file's content, or nil if the file is missing.
  ///
  /// - Throws: `KeyFailure` if the file is unreadable, or usable by others than its owner.
  func contents() throws(KeyFailure) -> Data? {
    let file: PrivateFile
    do {
      file = try PrivateFile(path: path)
    } catch {
      if error.isMissing { return nil }
      throw KeyFailure(error)
    }
    if let exposure = file.exposure { throw KeyFailure(path, exposure) }
    return file.contents
  }

  /// Returns the keys in `contents`.
  ///
  /// - Throws: `KeyFailure` if the content is not a key file, or has a damaged key.
  func ring(_ contents: Data) throws(KeyFailure) -> KeyRing {
    let ring: KeyRing
    do {
      ring = try Self.decoder.decode(KeyRing.self, from: contents)
    } catch {
      throw KeyFailure(
        path, "not a key file of user-service; restore a backup, or move the file away to create new keys")
    }
    guard ring.signer != nil, ring.keys.allSatisfy(\.isIntact) else {
      throw KeyFailure(
        path, "a key is damaged, or none can sign; restore a backup, or move the file away to create new keys"
      )
    }
    return ring
  }

  /// The path of the file itself: a write replaces the file, not a link to it.
  private var target: String {
    if let resolved = realpath(path, nil) {
      defer { free(resolved) }
      return String(cString: resolved)
    }
    // The file does not exist yet. The path is usually not a link; if it is, the file belongs at its destination.
    guard let destination = try? FileManager.default.destinationOfSymbolicLink(atPath: path) else {
      return path
    }
    return URL(fileURLWithPath: destination, relativeTo: URL(fileURLWithPath: path)).path
  }

  private static func folder(of target: String) -> String {
    URL(fileURLWithPath: target).deletingLastPathComponent().path
  }

  private func write(_ ring: KeyRing) throws(KeyFailure) {
    do {
      try PrivateFile.replace(target, with: Self.encoder.encode(ring) + Data("\n".utf8))
    } catch {
      throw KeyFailure(path, error.fileProblem)
    }
  }

  /// Runs `body` while no other process changes the file. The lock is on the folder, because the file is replaced. The
  /// folder is synced at the end, so that the replacement is durable.
  private func withLock<Value>(_ body: () throws(KeyFailure) -> Value) throws(KeyFailure) -> Value {
    let descriptor = open(Self.folder(of: target), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure() }
    // Closing also releases the lock (flock(2)).
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
