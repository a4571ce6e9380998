import UserDomain
import UserStore

/// What a write reads and changes, as far as it matters to others of the same transaction.
///
/// Addresses have two keys, because a new user is stored by a statement that itself finds out whether the address is free,
/// but a user's change of address is decided before.
enum WriteKey: Hashable, Sendable {
  case user(UserID)
  case session(SessionID)
  /// That a session has ended. Two writes that end it do not depend on each other.
  case sessionEnd(SessionID)
  case request(RequestID)
  /// The address of a new user.
  case newAddress(String)
  /// The address that a user changes to.
  case changedAddress(String)
}

/// A write of one caller: first it reads what it decides by, then it writes.
///
/// The reads of all writes of a transaction leave in one packet, and so do their statements. The transaction has the lock
/// of `store_revision`, so that what was read stays true.
struct WriteOperation<Value: Sendable>: Sendable {
  typealias Decide =
    @Sendable (ArraySlice<QueryResult>, inout WriteContext) throws(PostgresFailure) -> PlannedWrite<Value>

  /// What the reads are about. A write that changes any of it cannot come before in the same transaction.
  var dependencies: Set<WriteKey> = []
  /// What the statements change.
  var changes: Set<WriteKey> = []
  /// Whether it has a transaction of its own, because its keys are many or unknown.
  var isAlone = false
  /// Whether the caller's authority is checked, which may end while the write waits for the lock.
  var checksAuthority = false
  var reads: [Command] = []
  /// Decides by the results of the reads. It may be called again after a rollback.
  var decide: Decide
}

/// What a write has decided to do.
struct PlannedWrite<Value> {
  typealias Finish = (inout CommittedWrite) -> Result<Value, UserError>

  /// Users to be stored, unless their address is taken: those of all writes of the transaction in one statement, before the
  /// others.
  var newUsers: [NewUserRow] = []
  var commands: [Command] = []
  /// Called once the transaction is durable, with the results of the commands. Returns what the caller gets.
  var finish: Finish

  init(newUsers: [NewUserRow] = [], _ commands: [Command] = [], finish: @escaping Finish) {
    self.newUsers = newUsers
    self.commands = commands
    self.finish = finish
  }

  /// Nothing is stored, and the caller gets this error.
  static func refused(_ error: UserError) -> PlannedWrite { PlannedWrite { _ in .failure(error) } }

  /// The caller gets this value once the commands have succeeded.
  static func done(_ value: Value, _ commands: [Command] = []) -> PlannedWrite {
    PlannedWrite(commands) { _ in .success(value) }
  }
}

/// What a write learns of its committed transaction, and tells of it.
struct CommittedWrite {
  /// The users of the transaction that were stored.
  let stored: Set<UserID>
  /// The results of the write's commands.
  let results: ArraySlice<QueryResult>
  /// What the write has revoked.
  var revoked: [RevocationList.Event] = []

  /// The result of the command with this number, from 0.
  func result(_ index: Int) -> QueryResult { results[results.startIndex + index] }
}

/// What the writes of a transaction share: the time, and the ids of new users.
struct WriteContext {
  let clock: @Sendable () -> Timestamp
  private(set) var ids: UserIDGenerator
  /// The first id that was assigned.
  private(set) var firstID: UserID?
  /// The greatest id that is its user's place.
  private(set) var greatestID: UserID?

  init(clock: @escaping @Sendable () -> Timestamp, ids: UserIDGenerator) {
    self.clock = clock
    self.ids = ids
  }

  /// Returns the id of a new user that is created at `now`.
  mutating func nextID(at now: Timestamp) -> UserID {
    let id = ids.next(at: now)
    firstID = firstID ?? id
    note(id)
    return id
  }

  /// Returns the id of an imported user.
  mutating func id(of row: ForeignUser, at now: Timestamp) -> UserID {
    row.id == nil && row.createdAt == nil ? nextID(at: now) : ids.id(of: row, at: now)
  }

  /// Makes later ids greater than one that is stored and is its user's place.
  mutating func note(_ id: UserID) {
    ids.advance(past: id)
    greatestID = max(greatestID ?? id, id)
  }

  /// Makes later ids greater than all that other services have assigned.
  mutating func advance(past id: UserID) { ids.advance(past: id) }
}

/// A write in the queue, which keeps its own result.
struct PostgresWrite: StoreWrite {
  typealias Company = IndependentWrites

  let queued: QueuedWrite
  let dependencies: Set<WriteKey>
  let changes: Set<WriteKey>
  let isAlone: Bool
  let checksAuthority: Bool
  let reads: [Command]
  let decide: WriteOperation<Void>.Decide

  init<Value>(
    rows: Int, isImport: Bool, _ operation: WriteOperation<Value>,
    keep: @escaping @Sendable (Result<Value, UserError>) -> Void
  ) {
    queued = QueuedWrite(rows: rows, isImport: isImport)
    dependencies = operation.dependencies
    changes = operation.changes
    isAlone = operation.isAlone
    checksAuthority = operation.checksAuthority
    reads = operation.reads
    let decide = operation.decide
    self.decide = { found, context throws(PostgresFailure) in
      let plan = try decide(found, &context)
      return PlannedWrite(newUsers: plan.newUsers, plan.commands) { committed in
        .success(keep(plan.finish(&committed)))
      }
    }
  }
}

/// Lets those writes share a transaction that read nothing that another of them changes. The others stay in the queue, where
/// later writes overtake them, except those about the same.
struct IndependentWrites: WriteCompany {
  private var changed: Set<WriteKey> = []
  private var isFull = false
  private var isEmpty = true
  /// What the writes that wait depend on and change.
  private var waiting: (dependencies: Set<WriteKey>, changes: Set<WriteKey>) = ([], [])

  mutating func admits(_ write: PostgresWrite) -> Bool {
    let joins =
      isEmpty
      || !isFull && !write.isAlone && changed.isDisjoint(with: write.dependencies)
        && waiting.changes.isDisjoint(with: write.dependencies)
        && waiting.dependencies.isDisjoint(with: write.changes)
    if joins {
      (isEmpty, isFull) = (false, write.isAlone)
      changed.formUnion(write.changes)
    } else {
      waiting.dependencies.formUnion(write.dependencies)
      waiting.changes.formUnion(write.changes)
    }
    return joins
  }
}
