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
  /// Users that the import has stored, by which the service's database is known again, the latest last. Several, because
  /// a user may be erased meanwhile; nil if all rows had been stored before or were rejected.
  private(set) var checkpoints: [Checkpoint]?

  /// A user that was stored, and the counts then.
  struct Checkpoint: Hashable, Codable {
    let id: String
    let counts: ImportCounts
  }
  /// The files of the rejected rows, and of those that had been stored before, if they exist.
  var rejectedPath: String?
  var alreadyPath: String?

  init(source: FileIdentity, service: String) {
    self.source = source
    self.service = service
  }

  /// Records a user that was stored, in place of the oldest of eight.
  mutating func noteStored(_ id: String, _ counts: ImportCounts) {
    checkpoints = (checkpoints ?? []).suffix(7) + [Checkpoint(id: id, counts: counts)]
  }

  /// Goes back to a checkpoint; nil: to the start of the source. The files of rows that were not stored are continued.
  mutating func goBack(to checkpoint: Checkpoint?) {
    counts = checkpoint?.counts ?? ImportCounts()
    checkpoints = checkpoint.map { [$0] }
  }

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

extension ImportProgress {
  var counts: ImportCounts {
    get { ImportCounts(rows: rows, imported: imported, alreadyStored: alreadyStored, rejected: rejected) }
    set {
      rows = newValue.rows
      imported = newValue.imported
      alreadyStored = newValue.alreadyStored
      rejected = newValue.rejected
    }
  }
}
