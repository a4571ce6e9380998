import UserDomain
import UserStore

extension WriteOperation<User> {
  /// Stores one user.
  static func create(_ new: NewUser) -> WriteOperation {
    let key = new.email.uniquenessKey
    return WriteOperation(
      dependencies: [.changedAddress(key)], changes: [.newAddress(key)],
      decide: { _, context in
        let row = NewUserRow(new, &context)
        return PlannedWrite(newUsers: [row]) { committed in
          committed.stored.contains(row.user.id) ? .success(row.user) : .failure(.emailAlreadyRegistered)
        }
      })
  }
}

extension WriteOperation<[Result<Creation, UserError>]> {
  /// Stores users; requests with ids at most once.
  static func create(_ requests: [CreateRequest], by authority: WriteAuthority?) -> WriteOperation {
    let ids = requests.compactMap(\.id)
    let keys = requests.map(\.user.email.uniquenessKey)
    let contested = requests.contestedKeys
    let check = AuthorityRead(authority)
    var operation = WriteOperation(decide: { found, context in
      var found = found
      if let fault = check.fault(&found) { return .refused(fault) }
      var plan = CreationPlan(remembered: found.popFirst(), at: context.clock())
      if !contested.isEmpty { plan.note(contested, taken: found.popFirst()) }
      for request in requests { plan.add(request, &context) }
      return plan.write
    })
    operation.checksAuthority = authority != nil
    operation.reads = check.commands
    if !ids.isEmpty {
      operation.reads.append(
        Command(RequestStatements.remembered, .array(SQLArray(.uuid, ids.map { .bytes($0.bytes) }))))
    }
    if !contested.isEmpty {
      operation.reads.append(
        Command(RequestStatements.takenKeys, .array(SQLArray(.bytea, contested.map { .text($0) }))))
    }
    operation.dependencies = check.dependencies.union(ids.map { .request($0) })
      .union(keys.map { .changedAddress($0) }).union(contested.map { .newAddress($0) })
    operation.changes = Set(ids.map { .request($0) } + keys.map { .newAddress($0) })
    return operation
  }
}

extension [CreateRequest] {
  /// The uniqueness keys of requests whose id is that of another one: which of those is done depends on which addresses are
  /// taken, because a request that fails leaves its id free.
  fileprivate var contestedKeys: Set<String> {
    let counts = Dictionary(compactMap(\.id).map { ($0, 1) }, uniquingKeysWith: +)
    if counts.count == count { return [] }
    return Set(
      filter { $0.id.map { counts[$0, default: 0] > 1 } ?? false }.map(\.user.email.uniquenessKey))
  }
}

/// What becomes of requests to create users, in their order.
private struct CreationPlan {
  private enum Outcome {
    case known(Result<Creation, UserError>)
    /// The user with this id, if it is stored.
    case new(User)
    /// That of an earlier request of the same call, with its id.
    case same(as: User, Creation.Earlier)
  }

  private let now: Timestamp
  private var remembered: [[UInt8]: RememberedRequest] = [:]
  private var newRequests: [[UInt8]: (user: User, request: CreateRequest)] = [:]
  private var rows: [NewUserRow] = []
  private var outcomes: [Outcome] = []
  /// The addresses of requests with the same id, and those of them that are taken.
  private var contested: Set<String> = []
  private var taken: Set<String> = []

  init(remembered rows: QueryResult?, at now: Timestamp) {
    self.now = now
    guard let rows else { return }
    for row in 0..<rows.count {
      guard let user = rows.id(row, 1) else { continue }
      remembered[rows.blob(row, 0)] = RememberedRequest(
        userID: user, contentHash: rows.blob(row, 2), madeAt: rows.time(row, 3), createdAt: rows.time(row, 5),
        passwordHash: rows.isNull(row, 4) ? nil : PasswordHash(phcString: rows.text(row, 4)))
    }
  }

  /// Takes the addresses of requests with the same id, and a result with those that are taken.
  mutating func note(_ contested: Set<String>, taken rows: QueryResult?) {
    self.contested = contested
    guard let rows else { return }
    for row in 0..<rows.count { taken.insert(rows.text(row, 0)) }
  }

  mutating func add(_ request: CreateRequest, _ context: inout WriteContext) {
    let new = request.user
    if let id = request.id {
      if let outcome = remembered[id.bytes]?.outcome(of: new, at: now) {
        return outcomes.append(.known(outcome))
      }
      if let earlier = newRequests[id.bytes] {
        let isSame =
          RememberedRequest.contentHash(of: new) == RememberedRequest.contentHash(of: earlier.request.user)
        return outcomes.append(
          isSame
            ? .same(as: earlier.user, Creation.Earlier(passwordHash: earlier.request.user.passwordHash))
            : .known(.failure(.invalid([.requestIDUsed]))))
      }
    }
    if !contested.isEmpty {
      let key = new.email.uniquenessKey
      if taken.contains(key) { return outcomes.append(.known(.failure(.emailAlreadyRegistered))) }
      if contested.contains(key) { taken.insert(key) }
    }
    let row = NewUserRow(new, &context)
    rows.append(row)
    outcomes.append(.new(row.user))
    if let id = request.id { newRequests[id.bytes] = (row.user, request) }
  }

  var write: PlannedWrite<[Result<Creation, UserError>]> {
    PlannedWrite(newUsers: rows, commands) { [outcomes] committed in
      .success(
        outcomes.map { outcome in
          switch outcome {
          case .known(let outcome): outcome
          case .new(let user):
            committed.stored.contains(user.id) ? .success(Creation(user)) : .failure(.emailAlreadyRegistered)
          case .same(let user, let earlier):
            committed.stored.contains(user.id)
              ? .success(Creation(user, earlier: earlier)) : .failure(.emailAlreadyRegistered)
          }
        })
    }
  }

  /// The commands that record the requests of the users that are stored.
  private var commands: [Command] {
    if newRequests.isEmpty { return [] }
    var (ids, users, hashes) = (SQLArray(.uuid), SQLArray(.uuid), SQLArray(.bytea))
    for (id, new) in newRequests {
      ids.append(.bytes(id))
      users.append(.id(new.user.id))
      hashes.append(.bytes(RememberedRequest.contentHash(of: new.request.user)))
    }
    let retention = CreateRequest.retention
    return [
      Command(RequestStatements.purge, .time(now - retention), .time(now + retention)),
      Command(RequestStatements.put, .array(ids), .array(users), .array(hashes), .time(now)),
    ]
  }
}

extension NewUserRow {
  /// Creates the row of a new user, with the next id.
  fileprivate init(_ new: NewUser, _ context: inout WriteContext) {
    let now = context.clock()
    self.init(
      user: new.stored(as: context.nextID(at: now), at: now), place: nil, passwordHash: new.passwordHash)
  }
}
