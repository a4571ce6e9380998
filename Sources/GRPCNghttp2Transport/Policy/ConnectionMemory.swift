/// What the calls of one connection hold of memory, and what they may.
///
/// Confined to the connection's event loop. What changes with each call is a sum; the process's budget is asked only
/// when the sum crosses the border of a piece.
struct ConnectionMemory {
  /// Bytes that a connection holds without asking the process's budget, so that a client that holds little is served
  /// while others have taken everything.
  static let share = 32 * 1_024
  /// Bytes that are taken from the process's budget at once, and multiples.
  static let piece = 64 * 1_024

  private let limit: Int
  private let sendLimit: Int
  private let budget: MemoryBudget
  /// Bytes that calls hold: headers, handlers, the messages in their hands, and incomplete ones.
  private(set) var calls = 0
  /// How many of them are of incomplete messages.
  var incomplete = 0
  /// Bytes that have arrived and wait for a handler; the connection's window covers them.
  var unread = 0
  /// Bytes of responses that wait to be sent.
  var unsent = 0
  /// Bytes that the messages in handlers' hands are going to be answered with, about.
  private(set) var expected = 0
  /// Bytes taken from the budget.
  private var taken = 0
  /// Whether the process's budget could not give what the connection needed last.
  private var isShort = false

  init(_ configuration: HTTP2Configuration, largestMessage: Int, budget: MemoryBudget) {
    limit = max(configuration.maxConnectionMemory, 4 * min(largestMessage, Int(UInt32.max)))
    sendLimit = configuration.connectionWriteBufferSize
    self.budget = budget
  }

  /// Whether so much waits to be sent that handlers that would add much to it have to wait.
  var isSendingFull: Bool { unsent + expected > sendLimit }

  /// Room for responses, in bytes.
  var sendRoom: Int { sendLimit - unsent - expected }

  /// Whether a call may hold `count` more bytes.
  func hasRoom(for count: Int) -> Bool { !isShort && calls + count <= limit }

  /// A quarter of the memory is left to calls that are worked on, which cannot wait.
  private var reserve: Int { limit / 4 }

  /// Whether what has come of incomplete messages may be kept.
  var hasRoomToWait: Bool { hasRoom(for: 0) && incomplete <= limit - reserve }

  /// Whether a task may begin that counts `count` bytes and can wait, if `othersRun` that give back theirs.
  func hasRoom(forTask count: Int, othersRun: Bool) -> Bool {
    hasRoom(for: othersRun ? count + reserve : count)
  }

  /// Whether more was sent to the connection than the process has memory for.
  var mustRefuse: Bool { isShort }

  /// A call holds `count` more bytes, or fewer.
  mutating func change(by count: Int) { calls += count }

  /// A call is going to be answered with `count` more bytes, or fewer.
  mutating func expect(_ count: Int) { expected += count }

  /// Takes from the process's budget what is missing, or gives back what is not needed. Once a turn of the loop.
  mutating func balance() {
    let needed = calls + unread + unsent - Self.share
    if needed > taken {
      let more = (needed - taken + Self.piece - 1) / Self.piece * Self.piece
      isShort = !budget.take(more)
      if !isShort { taken += more }
      return
    }
    isShort = false
    // A piece stays until nothing is needed, so that a sum at a border does not go back and forth.
    let spare = needed > 0 ? ((taken - needed) / Self.piece - 1) * Self.piece : taken
    if spare > 0 {
      budget.giveBack(spare)
      taken -= spare
    }
  }

  /// The connection is gone.
  mutating func release() {
    budget.giveBack(taken)
    taken = 0
  }
}
