/// Accounts for the memory that the calls of one connection hold, and limits it.
///
/// Confined to the connection's event loop. Calls only change a sum; the process's budget is used when the sum needs
/// another piece.
struct ConnectionMemory {
  /// The bytes that a connection may hold without using the process's budget. A small client is thus served even if
  /// others have used up the budget.
  static let share = 32 * 1_024
  /// The unit in bytes in which the process's budget is used.
  static let piece = 64 * 1_024

  private let limit: Int
  private let sendLimit: Int
  private let budget: MemoryBudget
  /// The bytes that calls hold: header fields, handlers, messages in hand, and incomplete messages.
  private(set) var calls = 0
  /// The part of ``calls`` that belongs to incomplete messages.
  var incomplete = 0
  /// The received bytes that wait for handlers, within the connection's flow-control window.
  var unread = 0
  /// The bytes of responses that wait to be sent.
  var unsent = 0
  /// The estimated bytes of the answers to messages in hand.
  private(set) var expected = 0
  /// The bytes taken from the budget.
  private var taken = 0
  /// Whether the process's budget could not provide the bytes needed last.
  private var isShort = false

  init(_ configuration: HTTP2Configuration, largestMessage: Int, budget: MemoryBudget) {
    limit = max(configuration.maxConnectionMemory, 4 * min(largestMessage, Int(UInt32.max)))
    sendLimit = configuration.connectionWriteBufferSize
    self.budget = budget
  }

  /// Whether so much output is queued that handlers with large responses must wait.
  var isSendingFull: Bool { unsent + expected > sendLimit }

  /// The remaining bytes for output.
  var sendRoom: Int { sendLimit - unsent - expected }

  /// Returns whether a call may hold `count` more bytes.
  func hasRoom(for count: Int) -> Bool { !isShort && calls + count <= limit }

  /// The quarter of the memory that is reserved for calls in progress, which cannot wait.
  private var reserve: Int { limit / 4 }

  /// Whether the received parts of incomplete messages may be kept.
  var hasRoomToWait: Bool { hasRoom(for: 0) && incomplete <= limit - reserve }

  /// Returns whether a task of `count` bytes may start now. It can wait if `othersRun`, because those release their
  /// bytes.
  func hasRoom(forTask count: Int, othersRun: Bool) -> Bool {
    hasRoom(for: othersRun ? count + reserve : count)
  }

  /// Whether the connection has received more than the process has memory for.
  var mustRefuse: Bool { isShort }

  /// Adds `count` bytes, which may be negative, to those that calls hold.
  mutating func change(by count: Int) { calls += count }

  /// Adds `count` bytes, which may be negative, to the expected answers.
  mutating func expect(_ count: Int) { expected += count }

  /// Takes missing bytes from the process's budget, or returns unneeded ones. Called once a turn of the loop.
  mutating func balance() {
    let needed = calls + unread + unsent - Self.share
    if needed > taken {
      let more = (needed - taken + Self.piece - 1) / Self.piece * Self.piece
      isShort = !budget.take(more)
      if !isShort { taken += more }
      return
    }
    isShort = false
    // The last piece is kept until nothing is needed, so that small changes do not take and return it repeatedly.
    let spare = needed > 0 ? ((taken - needed) / Self.piece - 1) * Self.piece : taken
    if spare > 0 {
      budget.giveBack(spare)
      taken -= spare
    }
  }

  /// Returns everything to the budget at the end of the connection.
  mutating func release() {
    budget.giveBack(taken)
    taken = 0
  }
}
