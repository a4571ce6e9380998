import Foundation

/// Records the progress of an import in its file, at most twice a second.
final class ProgressRecord {
  /// What the file says, or will say when it is written next.
  private(set) var progress: ImportProgress
  private let path: String
  /// When the file may be written next.
  private var next = ContinuousClock.now
  /// Whether the file could not be written, which the operator was told.
  private var hasFailed = false
  private static let interval: Duration = .milliseconds(500)

  /// Continues the import that the file beside the source at `path` is about, or else begins one.
  init(of source: FileIdentity, at path: String, service: String, fromStart: Bool) {
    self.path = ImportProgress.path(of: path)
    let earlier = fromStart ? nil : ImportProgress.read(self.path, of: source, service: service)
    progress = earlier ?? ImportProgress(source: source, service: service)
  }

  /// Begins at the start of the source. The files of rows that were not stored are continued.
  func restart() {
    let earlier = progress
    progress = ImportProgress(source: earlier.source, service: earlier.service)
    (progress.rejectedPath, progress.alreadyPath) = (earlier.rejectedPath, earlier.alreadyPath)
  }

  /// Records these counts and the id of the last user that was stored, unless the last record is recent.
  func note(_ counts: ImportCounts, storedID: String?, _ rejected: RejectedRows, _ already: RejectedRows?) {
    if let storedID { progress.noteStored(storedID) }
    if ContinuousClock.now < next { return }
    write(counts, rejected, already)
    next = .now + Self.interval
  }

  /// Records the last counts of a run that has stopped, or removes the file of a complete import.
  func end(_ counts: ImportCounts, _ rejected: RejectedRows, _ already: RejectedRows?, isComplete: Bool) {
    if isComplete {
      unlink(path)
    } else if counts.rows > 0 {
      write(counts, rejected, already)
    }
  }

  private func write(_ counts: ImportCounts, _ rejected: RejectedRows, _ already: RejectedRows?) {
    progress.counts = counts
    if rejected.exists { progress.rejectedPath = rejected.path }
    if let already, already.exists { progress.alreadyPath = already.path }
    do throws(FileFailure) {
      try progress.write(path)
    } catch  where !hasFailed {
      // The import is correct without the record: rows that are sent again are stored already.
      hasFailed = true
      Terminal.note("warning: the progress is not recorded: \(error)")
    } catch {}
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
