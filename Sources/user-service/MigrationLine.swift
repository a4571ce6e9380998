import Foundation
import UserStore

/// The line of a terminal that shows how far a migration is. Elsewhere it shows nothing.
final class MigrationLine {
  /// The pause between two changes of the line.
  private static let interval: Duration = .milliseconds(200)

  private let isShown = isatty(STDERR_FILENO) == 1
  private var shownAt: ContinuousClock.Instant?

  /// Shows the progress of a migration that takes longer than a moment.
  func show(_ progress: MigrationProgress) {
    guard isShown, progress.elapsed >= Self.interval else { return }
    if let shownAt, .now - shownAt < Self.interval { return }
    shownAt = .now
    let tenths = Int(progress.elapsed / .milliseconds(100))
    Terminal.showProgress(
      "\(progress.migration.id): \(tenths / 10).\(tenths % 10) s, \(progress.statement)")
  }

  /// Removes the line.
  func clear() {
    if shownAt != nil { Terminal.showProgress("") }
    shownAt = nil
  }
}
