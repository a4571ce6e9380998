import TestSupport
import Testing
import UserDomain
import UserStore

/// Tests listings with filters, and the order of creation with ids that are not in it.
@Suite(.tags(.io), .fewAtOnce) struct ListingTests {
  private let fixture: StoreFixture
  private let clock = ManualClock()

  init() throws { fixture = try StoreFixture(clock: clock) }

  private func list(
    _ filter: String, showsDeleted: Bool = false, pageSize: Int, in repository: any ServiceStore
  ) async throws -> [User] {
    let query = UserQuery(filter: try UserFilter(parsing: filter), showsDeleted: showsDeleted)
    var listing = try await UserListing(repository: repository, query: query, after: nil, pageSize: pageSize)
    var users: [User] = []
    while let page = try await listing.nextPage() {
      users += page
      // Each page is read by a listing of its own, as with a token.
      listing = try await UserListing(
        repository: repository, query: query, after: listing.position, pageSize: pageSize)
    }
    return users
  }

  /// Stores users with all kinds of ids, names, statuses, labels and times.
  private func store(in repository: any ServiceStore) async throws -> [User] {
    let names = ["Ada", "ada", "ADAM", "Ädam", "Bob", "bob", "", "Érica", "e\u{301}rica", "Zoë", "Adé"]
    var rows: [ForeignUser] = []
    for number in 0..<300 {
      let createdAt = clock.now - .seconds(10 * Int64.random(in: 0...400))
      let isRandom = number % 3 == 0
      rows.append(
        ForeignUser(
          id: isRandom
            ? UserID(high: .random(in: 0 ... .max) & ~0xf000 | 0x4000, low: .random(in: 1 << 63..<3 << 62))
            : nil,
          email: EmailAddress(trusted: "\(["ada", "Bob", "érica"][number % 3])\(number)@example.com"),
          name: UserName(trusted: names[number % names.count]), status: number % 7 == 0 ? .inactive : .active,
          createdAt: number % 5 == 0 ? nil : createdAt,
          labels: UserLabels(trusted: number % 4 == 0 ? "plan=x\ntenant=t\(number % 8)\n" : "")))
      clock.advance(by: .milliseconds(7))
    }
    let ids = try await repository.importUsers(rows[...], by: nil).map { try $0.get().id }
    for id in ids.shuffled().prefix(60) {
      clock.advance(by: .seconds(1))
      _ = try await repository.update(id, UserChanges(labels: UserLabels(trusted: "plan=y\n")))
    }
    for id in ids.shuffled().prefix(30) {
      _ = try await repository.delete(id, .soft(retention: .seconds(60), allowsDeleted: false), UserWrite())
    }
    var users: [User] = []
    for id in ids {
      _ = try await repository.readUser(id: id, showsDeleted: true) {
        users.append(User($0, email: $1, name: $2))
      }
    }
    return users
  }

  @Test(
    "a filter finds what a look at every user finds, on pages of any size, in its order",
    arguments: Engine.all)
  func model(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let users = try await store(in: repository)
    let some = try #require(users.randomElement())
    let filters = [
      "", "status = ACTIVE", "status = INACTIVE", "name = ad*", "name = ada", "name = É*", "name = e*",
      "email = ada*",
      "email = BOB1*", "email = \"\(some.email.address)\"", "labels.plan = x",
      "labels.plan = y AND status = INACTIVE",
      "labels.tenant = t0 AND labels.plan = x", "labels.none = x", "name = missing*",
      "create_time >= \"\(some.createdAt.rfc3339)\"", "create_time < \"\(some.createdAt.rfc3339)\"",
      "create_time <= \"\(some.createdAt.rfc3339)\" AND create_time > \"\((some.createdAt - .seconds(600)).rfc3339)\"",
      "update_time >= \"\(some.updatedAt.rfc3339)\"", "update_time < \"\(some.updatedAt.rfc3339)\"",
      "update_time > \"\(some.updatedAt.rfc3339)\" AND name = a*",
      "create_time > \"\(some.createdAt.rfc3339)\" AND status = ACTIVE AND labels.plan = x",
    ]
    for text in filters {
      let filter = try UserFilter(parsing: text)
      for showsDeleted in [false, true] {
        let expected = users.filter { user in
          (showsDeleted || user.deletion == nil)
            && user.withRow { row, _, name in filter.passes(row, name: name) }
            && filter.email?.matches(user.email.uniquenessKey) ?? true
            && filter.name?.matches(user.name.searchKey) ?? true
        }
        let sorted = expected.sorted { $0.isBefore($1, filter.order) }
        for size in [1, 2, 7, 100, 1_000] {
          let listed = try await list(text, showsDeleted: showsDeleted, pageSize: size, in: repository)
          #expect(listed.map(\.id) == sorted.map(\.id), "\(text), pages of \(size)")
          #expect(Set(listed) == Set(expected))
        }
      }
    }
    try await repository.close()
  }

  @Test(
    "a read looks at a limited number of users, and its position continues the listing", arguments: Engine.all
  )
  func bounded(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let count = 2 * UsersRead.looks + 10
    _ = try await repository.create((0..<count).map { NewUser.sample($0) })
    let query = UserQuery(
      filter: try UserFilter(parsing: "create_time > 2000-01-01T00:00:00Z AND status = INACTIVE"))
    let active = UserQuery(filter: try UserFilter(parsing: "email = user* AND name = none"))
    for query in [query, active] {
      let read = try await repository.readUsers(query, after: nil, through: .last, limit: 10) { _, _, _ in }
      #expect(read.count == 0)
      // No user is inactive, so that index ends at once; of those with the address, so many are looked at.
      #expect(read.isOver == (query.filter.status == .inactive))
      #expect((read.position == nil) == read.isOver)
    }
    var listing = try await UserListing(repository: repository, query: active, after: nil, pageSize: 10)
    var pages = 0
    while let page = try await listing.nextPage() {
      #expect(page.isEmpty)
      pages += 1
    }
    #expect(pages == 3)
    try await repository.close()
  }

  @Test("a position of another order is refused", arguments: Engine.all)
  func foreignPosition(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let id = UserID(high: 1, low: 1)
    let positions: [ListingPosition] = [.id(id), .text("a", id), .time(clock.now, id)]
    for (text, own) in [
      ("", 0), ("name = a", 1), ("email = a*", 1), ("update_time > 2000-01-01T00:00:00Z", 2),
    ] {
      let query = UserQuery(filter: try UserFilter(parsing: text))
      for (index, position) in positions.enumerated() where index != own {
        await #expect(throws: UserError.invalid([.foreignPageToken])) {
          try await UserListing(repository: repository, query: query, after: position, pageSize: 1)
        }
      }
    }
    try await repository.close()
  }
}

extension Timestamp {
  fileprivate var rfc3339: String {
    let (seconds, rest) = microsecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000)
    let text = Timestamp(microsecondsSinceEpoch: seconds * 1_000_000).description
    return text.replacing(".000Z", with: "." + String(1_000_000 + rest).dropFirst() + "Z")
  }
}

extension User {
  private var place: UserID { UserPlace.other(than: id, createdAt: createdAt) ?? id }

  /// Returns whether the user is listed before another in this order.
  fileprivate func isBefore(_ other: User, _ order: UserFilter.Order) -> Bool {
    switch order {
    case .creation: place < other.place
    case .email:
      Array(email.uniquenessKey.utf8).lexicographicallyPrecedes(Array(other.email.uniquenessKey.utf8))
    case .name:
      name.searchKey.utf8.elementsEqual(other.name.searchKey.utf8)
        ? id < other.id : name.searchKey.utf8.lexicographicallyPrecedes(other.name.searchKey.utf8)
    case .label, .inactive: id < other.id
    case .update: (updatedAt, id) < (other.updatedAt, other.id)
    }
  }
}
