/// What is noted to be done.
enum ConnectionNote {
  /// A request's header block is complete.
  case begin(Int32)
  /// Something of a request has arrived that its call may wait for.
  case deliver(Int32)
  /// Bytes of the response have left for the wire.
  case sent(Int32)
  /// There is room for responses again.
  case roomCame(Int32)
  /// Another call's task has ended.
  case taskCame(Int32)
  /// Frames of the response may be due, or window to return.
  case submit(Int32)
  /// The connection's window is to be returned.
  case returnWindow
  case action(ConnectionAction)
}

/// The notes of a connection, in the order in which they are worked off.
struct NoteList {
  private var notes: [ConnectionNote] = []
  private var next = 0

  var isEmpty: Bool { next == notes.count }

  /// The note that is to be worked off next.
  var first: ConnectionNote? { isEmpty ? nil : notes[next] }

  mutating func append(_ note: ConnectionNote) { notes.append(note) }

  /// Drops the first note.
  mutating func removeFirst() {
    next += 1
    guard isEmpty else { return }
    notes.removeAll(keepingCapacity: true)
    next = 0
  }
}
