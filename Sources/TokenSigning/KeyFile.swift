public import Foundation
import Primitives

/// Where the service's own signing keys are kept: a file that its owner alone can write, and others cannot read.
public struct KeyFile: Hashable, Sendable {
  /// The path as it was given, which may lead there through symbolic links.
  public let path: String

  /// The file at `path`, or where that leads through symbolic links.
  public init(path: String) {
    self.path = path
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
  /// - Throws: `KeyFailure` if the file cannot be read, others than its owner can use it, or it holds no keys.
  public func read() throws(KeyFailure) -> KeyRing? {
    guard let contents = try contents() else { return nil }
    return try ring(contents)
  }

  /// Returns what the file holds, or nil if there is no file.
  ///
  /// - Throws: `KeyFailure` if the file cannot be read, or others than its owner can use it.
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

  /// Returns the keys that `contents` holds.
  ///
  /// - Throws: `KeyFailure` if it is not a key file, or a key in it is damaged.
  func ring(_ contents: Data) throws(KeyFailure) -> KeyRing {
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

  /// Where the path leads: replaced is the file, not a link to it.
  private var target: String {
    if let resolved = realpath(path, nil) {
      defer { free(resolved) }
      return String(cString: resolved)
    }
    // Not there yet, and mostly no link either; a link says where to make it.
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

  /// Runs `body` while no other process changes the file. The lock is on the folder, because the file is
  /// replaced; the folder is synced at the end, so that the replacement lasts.
  private func withLock<Value>(_ body: () throws(KeyFailure) -> Value) throws(KeyFailure) -> Value {
    let descriptor = open(Self.folder(of: target), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
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
