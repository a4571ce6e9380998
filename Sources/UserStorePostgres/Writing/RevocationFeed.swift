import Synchronization
import UserDomain

/// Keeps the list of revoked tokens up to date: by this service's own commits, at once, and by those of others, which the
/// database has noted with the revision of their transaction.
final class RevocationFeed: Sendable {
  private struct State {
    /// The revision up to which the notes were read.
    var read: Int64 = 0
    /// This service's own events of later revisions.
    var own: [(revision: Int64, event: RevocationList.Event)] = []
  }

  let list = RevocationList()
  private let state = Mutex(State())

  /// The revision up to which the notes were read.
  var revision: Int64 { state.withLock { $0.read } }

  /// Applies what this service has revoked in the transaction of a revision.
  func committed(_ events: [RevocationList.Event], at revision: Int64) {
    state.withLock { state in
      guard revision <= state.read else {
        state.own += events.map { (revision, $0) }
        return list.apply(events)
      }
      // The notes were faster, and have the epochs of later revisions, too.
      list.apply(events.filter { if case .epochBegan = $0 { false } else { true } })
    }
  }

  /// Applies the notes of the revisions after ``revision`` up to this one.
  func read(_ events: [RevocationList.Event], through revision: Int64) {
    state.withLock { state in
      // In the order of revisions: an own event that is newer than the notes comes last again.
      list.apply(events + later(than: revision, &state))
    }
  }

  /// Replaces the list by everything that was stored at a revision.
  func loaded(_ events: [RevocationList.Event], at revision: Int64) {
    state.withLock { state in
      // Where the database was replaced by an older one, what was committed to the newer one did not happen.
      if revision < state.read { state.own = [] }
      state.read = revision
      list.replace(with: events + later(than: revision, &state))
    }
  }

  private func later(than revision: Int64, _ state: inout State) -> [RevocationList.Event] {
    state.read = max(state.read, revision)
    state.own.removeAll { $0.revision <= revision }
    return state.own.map(\.event)
  }
}
