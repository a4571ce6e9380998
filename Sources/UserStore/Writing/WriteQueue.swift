import DequeModule
import UserDomain

/// Decides which writes wait, which share the next transaction and which are refused. A value without threads, whose
/// decisions `GroupCommitWriter` carries out.
struct WriteQueue {
  /// The limits, in rows.
  struct Limits: Hashable, Sendable {
    /// The maximum number of waiting rows; more are refused as overloaded. Large imports do not count: each call has one
    /// write at a time, whose memory the API bounds, and would wait in vain for its turn among others that are larger.
    var waitingRows = 16_384
    /// The number of rows after which a transaction takes no more writes, so that none waits long for others.
    var rowsPerTransaction = 2_048
  }

  enum Admission {
    /// The write waits; the running drain will take it.
    case queued
    /// The write waits, and the caller must start a drain.
    case startDrain
    case refused(UserError)
  }

  private let limits: Limits
  private var waiting: Deque<QueuedWrite> = []
  /// The rows of writes that are not imports.
  private var waitingRows = 0
  private(set) var isDraining = false
  private var isClosed = false

  init(limits: Limits) {
    self.limits = limits
  }

  var waitingWrites: Int { waiting.count }
  /// Whether writes that are not imports wait.
  var hasOtherWrites: Bool { waitingRows > 0 }

  mutating func submitted(_ write: QueuedWrite) -> Admission {
    if isClosed { return .refused(.shuttingDown) }
    // A lone write is admitted whatever its size.
    if !write.isImport, waitingRows > 0, waitingRows + write.rows > limits.waitingRows {
      // A full queue takes a few transactions, usually less than a second.
      return .refused(.overloaded(retryAfter: .seconds(1)))
    }
    waiting.append(write)
    count(write, 1)
    if isDraining { return .queued }
    isDraining = true
    return .startDrain
  }

  /// Returns the writes of the next transaction, in order of arrival; empty when the drain ends.
  mutating func nextGroup() -> [QueuedWrite] {
    var rows = 0
    var count = 0
    for write in waiting {
      if count > 0, rows + write.rows > limits.rowsPerTransaction { break }
      rows += write.rows
      count += 1
    }
    let group = Array(waiting.prefix(count))
    waiting.removeFirst(count)
    for write in group { self.count(write, -1) }
    if group.isEmpty { isDraining = false }
    return group
  }

  /// Counts a write that begins to wait, or that does not wait any more.
  private mutating func count(_ write: QueuedWrite, _ sign: Int) {
    if !write.isImport { waitingRows += sign * write.rows }
  }

  /// Closes the queue: later writes are refused, and waiting ones are still taken.
  mutating func closed() {
    isClosed = true
  }
}
