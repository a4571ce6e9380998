import GRPCCore
import NIOCore

/// The queue of notes, which ``nextAction()`` processes in order.
extension ConnectionCore {
  /// Returns the next action, or nil if there is none. The effects of an action are decided before the next call.
  mutating func nextAction() -> ConnectionAction? {
    while let note = notes.first {
      if case .submit(let id) = note, let action = nextSubmission(id) { return action }
      notes.removeFirst()
      if let action = act(on: note) { return action }
    }
    return nil
  }

  private mutating func act(on note: ConnectionNote) -> ConnectionAction? {
    switch note {
    // After a connection error no call starts or reads.
    case .begin(let id): return find(id).flatMap { end.fault == nil ? begin($0) : nil }
    case .deliver(let id):
      return find(id, clearing: .delivery).flatMap { end.fault == nil ? deliver($0) : nil }
    case .sent(let id): return find(id, clearing: .sent).flatMap { outputSent($0) }
    case .roomFreed(let id): return find(id).flatMap { roomFreed($0) }
    case .taskFreed(let id): return find(id).flatMap { takeRequests($0) }
    case .submit: return nil
    case .returnWindow:
      defer { windowToReturn = 0 }
      return .returnConnectionWindow(windowToReturn)
    case .action(let action): return action
    }
  }

  /// Returns the slot of a call that has not ended, and clears its note `note`.
  private mutating func find(_ id: Int32, clearing note: StreamState.Notes = []) -> Int? {
    guard let slot = streams.find(id) else { return nil }
    streams.slots[slot].notes.subtract(note)
    return streams.slots[slot].hasEnded ? nil : slot
  }

  /// Returns what is due for a response: first the window to return, then its frames.
  private mutating func nextSubmission(_ id: Int32) -> ConnectionAction? {
    guard let slot = streams.find(id) else { return nil }
    let action = streams.slots[slot].nextSubmission(sendTimeout: sendTimeout, now: now)
    if case .send(_, .data) = action { noteWakeup(slot) }
    return action
  }
}
