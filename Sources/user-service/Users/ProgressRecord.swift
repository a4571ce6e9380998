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

  /// Goes back to a checkpoint; nil: to the start of the source.
  func goBack(to checkpoint: ImportProgress.Checkpoint?) { progress.goBack(to: checkpoint) }

  /// Records a user that was stored, and the counts then, with the next counts.
  func noteStored(_ id: String, _ counts: ImportCounts) { progress.noteStored(id, counts) }

  /// Records these counts, unless the last record is recent.
  func note(_ counts: ImportCounts, _ rejected: RejectedRows, _ already: RejectedRows?) {
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
