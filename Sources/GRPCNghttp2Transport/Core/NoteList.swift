/// An entry in a connection's list of pending work.
enum ConnectionNote {
  /// A request's header block is complete.
  case begin(Int32)
  /// A part of a request has arrived for which its call may wait.
  case deliver(Int32)
  /// Bytes of the response were sent.
  case sent(Int32)
  /// Room for responses has become free.
  case roomFreed(Int32)
  /// A task of another call has ended.
  case taskFreed(Int32)
  /// Frames of the response may be due, or window to return.
  case submit(Int32)
  /// The window of the connection is due to be returned.
  case returnWindow
  case action(ConnectionAction)
}

/// The notes of a connection, in the order in which they are processed.
struct NoteList {
  private var notes: [ConnectionNote] = []
  private var next = 0

  var isEmpty: Bool { next == notes.count }

  /// The next note to process.
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
