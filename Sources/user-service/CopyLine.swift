import Foundation
import UserStore

/// The line of a terminal that shows how far a copy is. Elsewhere it shows nothing.
final class CopyLine {
  /// The pause between two changes of the line.
  private static let interval: Duration = .milliseconds(200)

  private let isShown = isatty(STDERR_FILENO) == 1
  private var phase: DatabaseCopy.State.Phase?
  /// When the phase began.
  private var begin = ContinuousClock.now
  private var shownAt: ContinuousClock.Instant?

  /// Shows the state of a copy.
  func show(_ state: DatabaseCopy.State) {
    let now = ContinuousClock.now
    if phase != state.phase { (phase, begin) = (state.phase, phase == nil ? begin : now) }
    guard isShown, shownAt.map({ now - $0 >= Self.interval }) ?? true else { return }
    shownAt = now
    var size = winsize()
    let width = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    Terminal.showProgress(Self.line(state, elapsed: now - begin, width: width - 1))
  }

  /// Formats the line for a phase that has lasted for `elapsed`, in at most `width` columns.
  static func line(_ state: DatabaseCopy.State, elapsed: Duration, width: Int) -> String {
    let verb = state.phase == .copying ? "copying" : "checking"
    let words = "\(verb) \(state.table): "
    let bar = ProgressBar(total: state.total, start: state.earlier, noun: "rows")
    return String(
      (words
        + bar.line(
          done: state.rows, rows: state.rows, newRows: state.rows - state.earlier, elapsed: elapsed,
          width: max(width - words.count, 0))).prefix(max(width, 0)))
  }

  /// Removes the line.
  func clear() {
    if shownAt != nil { Terminal.showProgress("") }
    shownAt = nil
  }
}
