public import DequeModule
public import UserDomain

/// The limits of a ``WriteQueue``, in rows.
@usableFromInline package struct WriteLimits: Hashable, Sendable {
  /// The maximum number of waiting rows; more are refused as overloaded. Large imports do not count: each call has one
  /// write at a time, whose memory the API bounds, and would wait in vain for its turn among others that are larger.
  @usableFromInline package var waitingRows: Int
  /// The number of rows after which a transaction takes no more writes, so that none waits long for others.
  @usableFromInline package var rowsPerTransaction: Int

  /// Creates limits.
  package init(waitingRows: Int = 16_384, rowsPerTransaction: Int = 2_048) {
    self.waitingRows = waitingRows
    self.rowsPerTransaction = rowsPerTransaction
  }
}

/// The decision about a submitted write.
@usableFromInline package enum WriteAdmission {
  /// The write waits; the running drain will take it.
  case queued
  /// The write waits, and the caller must start a drain.
  case startDrain
  case refused(UserError)
}

/// A write as a store queues it: the waiting caller, and what the store does for it.
@usableFromInline package protocol StoreWrite: Sendable {
  /// Decides which writes share a transaction.
  associatedtype Company: WriteCompany = AnyCompany<Self> where Company.Write == Self

  /// The part that every store shares.
  var queued: QueuedWrite { get }
}

/// Decides which of the waiting writes share the next transaction.
@usableFromInline package protocol WriteCompany {
  associatedtype Write

  /// Creates the company of a transaction without writes.
  init()

  /// Returns whether the write joins the transaction; it is asked about each in order of arrival. A write that does not join
  /// waits for a later transaction, and may be overtaken. The first one always joins.
  mutating func admits(_ write: Write) -> Bool
}

/// Lets all writes share a transaction.
@usableFromInline package struct AnyCompany<Write>: WriteCompany {
  @inlinable package init() {}
  @inlinable package mutating func admits(_ write: Write) -> Bool { true }
}

/// Decides which writes wait, which share the next transaction and which are refused. A value without threads, whose
/// decisions the writer of a store carries out.
///
/// It is inlinable, so that each store has one for the type of its writes. Otherwise every step of a write would ask the
/// runtime for types.
@usableFromInline package struct WriteQueue<Write: StoreWrite>: Sendable {
  @usableFromInline let limits: WriteLimits
  @usableFromInline var waiting: Deque<Write> = []
  /// The rows of writes that are not imports.
  @usableFromInline var waitingRows = 0
  @usableFromInline var hasDrain = false
  @usableFromInline var isClosed = false

  /// Creates an empty queue.
  @inlinable package init(limits: WriteLimits) {
    self.limits = limits
  }

  /// The number of waiting writes.
  @inlinable package var waitingWrites: Int { waiting.count }
  /// Whether writes that are not imports wait.
  @inlinable package var hasOtherWrites: Bool { waitingRows > 0 }
  /// Whether a drain is running: the writer takes group after group.
  @inlinable package var isDraining: Bool { hasDrain }

  /// Decides whether a write may wait.
  @inlinable package mutating func submitted(_ write: Write) -> WriteAdmission {
    if isClosed { return .refused(.shuttingDown) }
    let (rows, isImport) = (write.queued.rows, write.queued.isImport)
    // A lone write is admitted whatever its size.
    if !isImport, waitingRows > 0, waitingRows + rows > limits.waitingRows {
      // A full queue takes a few transactions, usually less than a second.
      return .refused(.overloaded(retryAfter: .seconds(1)))
    }
    waiting.append(write)
    count(write, 1)
    if hasDrain { return .queued }
    hasDrain = true
    return .startDrain
  }

  /// The number of writes that the later ones of a transaction may overtake.
  @inlinable package static var overtaken: Int { 1_024 }

  /// Returns the writes of the next transaction, in order of arrival; empty when the drain ends. The write that has waited
  /// longest is always one of them.
  @inlinable package mutating func nextGroup() -> [Write] {
    var company = Write.Company()
    var group: [Write] = []
    var left: [Write] = []
    var (rows, seen) = (0, 0)
    for write in waiting {
      if !group.isEmpty, rows + write.queued.rows > limits.rowsPerTransaction { break }
      if left.count == Self.overtaken { break }
      seen += 1
      if company.admits(write) {
        rows += write.queued.rows
        group.append(write)
      } else {
        left.append(write)
      }
    }
    waiting.removeFirst(seen)
    for write in left.reversed() { waiting.prepend(write) }
    for write in group { count(write, -1) }
    if group.isEmpty { hasDrain = false }
    return group
  }

  /// Counts a write that begins to wait, or that does not wait any more.
  @inlinable mutating func count(_ write: Write, _ sign: Int) {
    if !write.queued.isImport { waitingRows += sign * write.queued.rows }
  }

  /// Closes the queue: later writes are refused, and waiting ones are still taken.
  @inlinable package mutating func closed() {
    isClosed = true
  }
}
