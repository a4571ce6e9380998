import Foundation
import Primitives

/// How far an import has come, in a file beside its source, so that it continues there even after it was killed.
struct ImportProgress: Hashable, Codable {
  /// The version of the file's form.
  private static let version = 1

  private var version = Self.version
  /// The source as it was when the import began.
  let source: FileIdentity
  /// The address of the service that stores the rows.
  let service: String
  /// How many rows from the start of the source have an outcome.
  var rows = 0
  /// How many of them were stored, had been stored before, and were rejected.
  var imported = 0
  var alreadyStored = 0
  var rejected = 0
  /// The ids of some of them that the import has stored, the latest last, by which the service's database is known again.
  /// Several, because a user may be erased meanwhile. Empty if all were there before or were rejected.
  private(set) var storedIDs: [String]?
  /// The files of the rejected rows, and of those that had been stored before, if they exist.
  var rejectedPath: String?
  var alreadyPath: String?

  init(source: FileIdentity, service: String) {
    self.source = source
    self.service = service
  }

  /// Records the id of a user that was stored, in place of the oldest of eight.
  mutating func noteStored(_ id: String) { storedIDs = (storedIDs ?? []).suffix(7) + [id] }

  /// Returns the path of the file for the source at `path`.
  static func path(of path: String) -> String { "\(path).progress" }

  /// Reads the file at `path`. Returns nil if it does not exist, or is not about this source and service.
  static func read(_ path: String, of source: FileIdentity, service: String) -> ImportProgress? {
    // A record that cannot be read does not count: the import begins at the start, which changes
    // nothing that is stored.
    guard let contents = FileManager.default.contents(atPath: path),
      let progress = try? JSONDecoder().decode(ImportProgress.self, from: contents),
      progress.version == version, progress.source == source, progress.service == service, progress.rows >= 0
    else { return nil }
    return progress
  }

  /// Replaces the file at `path` atomically; only its owner can read it.
  ///
  /// - Throws: `FileFailure`.
  func write(_ path: String) throws(FileFailure) {
    do {
      try PrivateFile.replace(path, with: JSONEncoder().encode(self))
    } catch {
      throw FileFailure("\(path) \(error.fileProblem)")
    }
  }
}
