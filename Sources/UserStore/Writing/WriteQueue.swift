import DequeModule
package import UserDomain

/// The limits of a ``WriteQueue``, in rows.
package struct WriteLimits: Hashable, Sendable {
  /// The maximum number of waiting rows; more are refused as overloaded. Large imports do not count: each call has one
  /// write at a time, whose memory the API bounds, and would wait in vain for its turn among others that are larger.
  package var waitingRows: Int
  /// The number of rows after which a transaction takes no more writes, so that none waits long for others.
  package var rowsPerTransaction: Int

  /// Creates limits.
  package init(waitingRows: Int = 16_384, rowsPerTransaction: Int = 2_048) {
    self.waitingRows = waitingRows
    self.rowsPerTransaction = rowsPerTransaction
  }
}

/// The decision about a submitted write.
package enum WriteAdmission {
  /// The write waits; the running drain will take it.
  case queued
  /// The write waits, and the caller must start a drain.
  case startDrain
  case refused(UserError)
}

/// A write as a store queues it: the waiting caller, and what the store does for it.
package protocol StoreWrite: Sendable {
  /// The part that every store shares.
  var queued: QueuedWrite { get }
}

/// Decides which writes wait, which share the next transaction and which are refused. A value without threads, whose
/// decisions the writer of a store carries out.
package struct WriteQueue<Write: StoreWrite>: Sendable {
  private let limits: WriteLimits
  private var waiting: Deque<Write> = []
  /// The rows of writes that are not imports.
  private var waitingRows = 0
  /// Whether a drain is running: the writer takes group after group.
  package private(set) var isDraining = false
  private var isClosed = false

  /// Creates an empty queue.
  package init(limits: WriteLimits) {
    self.limits = limits
  }

  /// The number of waiting writes.
  package var waitingWrites: Int { waiting.count }
  /// Whether writes that are not imports wait.
  package var hasOtherWrites: Bool { waitingRows > 0 }

  /// Decides whether a write may wait.
  package mutating func submitted(_ write: Write) -> WriteAdmission {
    if isClosed { return .refused(.shuttingDown) }
    let (rows, isImport) = (write.queued.rows, write.queued.isImport)
    // A lone write is admitted whatever its size.
    if !isImport, waitingRows > 0, waitingRows + rows > limits.waitingRows {
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
  package mutating func nextGroup() -> [Write] {
    var rows = 0
    var count = 0
    for write in waiting {
      if count > 0, rows + write.queued.rows > limits.rowsPerTransaction { break }
      rows += write.queued.rows
      count += 1
    }
    let group = Array(waiting.prefix(count))
    waiting.removeFirst(count)
    for write in group { self.count(write, -1) }
    if group.isEmpty { isDraining = false }
    return group
  }

  /// Counts a write that begins to wait, or that does not wait any more.
  private mutating func count(_ write: Write, _ sign: Int) {
    if !write.queued.isImport { waitingRows += sign * write.queued.rows }
  }

  /// Closes the queue: later writes are refused, and waiting ones are still taken.
  package mutating func closed() {
    isClosed = true
  }
}
