import Foundation

/// Shows the progress of an import at a terminal, ten times a second.
final class ProgressDisplay {
  private static let interval: Duration = .milliseconds(100)

  private let total: Int?
  private let isShown: Bool
  /// When and where in the file this run began to send rows.
  private var begin = ContinuousClock.now
  private var start = 0
  private var firstCounts: ImportCounts
  private var shownAt: ContinuousClock.Instant?

  /// - Parameters:
  ///   - total: the size of the file in bytes; nil if unknown.
  ///   - counts: the counts of an earlier run, which this one continues.
  init(total: Int?, from counts: ImportCounts, isQuiet: Bool) {
    self.total = total
    firstCounts = counts
    isShown = !isQuiet && isatty(STDERR_FILENO) == 1
  }

  /// Records that this run begins at this position of the file.
  func begin(at position: Int) {
    (begin, start) = (.now, position)
  }

  /// Shows these counts, when `readRows` rows of the file are read, up to `position`.
  func show(_ counts: ImportCounts, readRows: Int, position: Int) {
    let now = ContinuousClock.now
    guard isShown, shownAt.map({ now - $0 >= Self.interval }) ?? true else { return }
    shownAt = now
    var size = winsize()
    let width = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    // Rows are read before they are stored, and those with passwords long before.
    let done = Double(position) * Double(counts.rows) / Double(max(readRows, 1))
    let line = ProgressBar(total: total, start: start).line(
      done: max(Int(done), start), rows: counts.rows, newRows: counts.rows - firstCounts.rows,
      elapsed: now - begin, width: width - 1)
    Terminal.showProgress(line)
  }

  /// Removes the display.
  func end() {
    if shownAt != nil { Terminal.showProgress("") }
  }
}
