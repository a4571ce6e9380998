import GRPCCore
import NIOCore

/// What is to be done: the notes, worked off in order.
extension ConnectionCore {
  /// The next thing to do; nil if there is nothing. What one action brings about is decided before the next is asked for.
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
    // No call begins or reads on after a fault.
    case .begin(let id): return find(id).flatMap { end.fault == nil ? begin($0) : nil }
    case .deliver(let id):
      return find(id, clearing: .delivery).flatMap { end.fault == nil ? deliver($0) : nil }
    case .sent(let id): return find(id, clearing: .sent).flatMap { outputSent($0) }
    case .roomCame(let id): return find(id).flatMap { roomCame($0) }
    case .taskCame(let id): return find(id).flatMap { takeRequests($0) }
    case .submit: return nil
    case .returnWindow:
      defer { windowToReturn = 0 }
      return .returnConnectionWindow(windowToReturn)
    case .action(let action): return action
    }
  }

  /// The slot of a call that is not over, no longer noted as `note`.
  private mutating func find(_ id: Int32, clearing note: StreamState.Notes = []) -> Int? {
    guard let slot = streams.find(id) else { return nil }
    streams[slot].notes.subtract(note)
    return streams[slot].isOver ? nil : slot
  }

  /// What is due of a response: window first, then frame after frame.
  private mutating func nextSubmission(_ id: Int32) -> ConnectionAction? {
    guard let slot = streams.find(id) else { return nil }
    let window = streams[slot].account.windowToReturn
    if window > 0 {
      streams[slot].account.windowToReturn = 0
      return .returnStreamWindow(id, window)
    }
    if !streams[slot].isOver,
      let frame = streams[slot].nextFrame(sendTimeout: sendTimeout, now: now)
    {
      if case .data = frame { noteWakeup(slot) }
      return .send(id, frame)
    }
    streams[slot].notes.remove(.submission)
    return nil
  }
}
