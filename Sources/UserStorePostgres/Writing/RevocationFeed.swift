import Synchronization
import UserDomain

/// Keeps the list of revoked tokens up to date: by this service's own commits, at once, and by those of others, which the
/// database has noted with the revision of their transaction.
final class RevocationFeed: Sendable {
  private struct State {
    /// The revision up to which the notes were read.
    var read: Int64 = 0
    /// This service's own events of later revisions, numbered.
    var own: [(number: Int, revision: Int64, event: RevocationList.Event)] = []
    /// The number of own events that were later than the notes, so far.
    var count = 0
  }

  let list = RevocationList()
  private let state = Mutex(State())

  /// The revision up to which the notes were read.
  var revision: Int64 { state.withLock { $0.read } }

  /// Applies what this service has revoked in the transaction of a revision.
  func committed(_ events: [RevocationList.Event], at revision: Int64) {
    state.withLock { state in
      guard revision <= state.read else {
        for event in events {
          state.own.append((state.count, revision, event))
          state.count += 1
        }
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

  /// Where the own events are. Take it before reading what ``loaded(_:at:since:)`` is given.
  var mark: Int { state.withLock { $0.count } }

  /// Replaces the list by everything that was stored at a revision, and was read after a mark.
  func loaded(_ contents: RevocationList.Contents, at revision: Int64, since mark: Int) {
    state.withLock { state in
      // What was committed before and is not in it did not happen: the server is another one, to which it was not copied.
      state.own.removeAll { $0.number < mark }
      state.read = revision
      list.replace(with: contents, then: later(than: revision, &state))
    }
  }

  private func later(than revision: Int64, _ state: inout State) -> [RevocationList.Event] {
    state.read = max(state.read, revision)
    state.own.removeAll { $0.revision <= revision }
    return state.own.map(\.event)
  }
}
