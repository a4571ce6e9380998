import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStorePostgres

/// Tests how many rows a page asks for, and when it is complete.
@Suite(.tags(.io), .fewAtOnce) struct UserPageTests {
  /// A page as it was read, and the numbers of rows that were asked for.
  private struct Reading {
    var users: [UserID] = []
    var asked: [Int] = []
    var read = UsersRead()
  }

  private func read(
    _ filter: String, after: ListingPosition? = nil, through: UserID = .last, limit: Int,
    showsDeleted: Bool = false,
    _ handle: LibpqHandle
  ) throws -> Reading {
    let query = UserQuery(filter: try UserFilter(parsing: filter), showsDeleted: showsDeleted)
    var page = UserPage(query, after: after, through: through, limit: limit)
    var reading = Reading()
    while let command = page.next {
      guard case .integer(let count) = command.parameters[1] else {
        throw PostgresFailure.lost("no number of rows")
      }
      reading.asked.append(Int(count))
      try page.take(handle.execute(command)) { user, _, _ in reading.users.append(user.id) }
    }
    reading.read = page.read
    return reading
  }

  /// Stores users, and returns them and a connection.
  private func store(_ count: Int, _ programs: PostgresPrograms?) async throws -> ([User], LibpqHandle) {
    let address = try await newDatabase(programs)
    let repository = try await PostgresUserRepository(address)
    let users = try await repository.create((0..<count).map { NewUser.sample($0) }).map { try $0.get() }
    if count > 2 {
      _ = try await repository.delete(
        users[1].id, .soft(retention: .seconds(60), allowsDeleted: false), UserWrite())
    }
    try await repository.close()
    return (users, try connect(address))
  }

  @Test(
    "a page of all users takes one request, which also shows whether users follow",
    arguments: postgresVersions)
  func oneRequest(programs: PostgresPrograms?) async throws {
    let (users, handle) = try await store(10, programs)
    let ids = users.map(\.id)
    for (limit, isOver) in [(9, false), (10, true), (11, true), (1_000, true)] {
      let reading = try read("", limit: limit, showsDeleted: true, handle)
      #expect(reading.users == Array(ids.prefix(limit)))
      #expect(reading.asked == [min(limit + 1, UsersRead.looks)])
      #expect(reading.read.isOver == isOver && reading.read.count == reading.users.count)
      #expect(reading.read.position == reading.users.last.map { .id($0) })
    }
    let rest = try read("", after: .id(ids[8]), limit: 9, handle)
    #expect(rest.users == [ids[9]] && rest.read.isOver)
    let none = try read("", after: .id(ids[9]), limit: 9, handle)
    #expect(none.users.isEmpty && none.read.position == nil && none.read.isOver)
  }

  @Test(
    "a deleted user is passed over, and so is one that is newer than the listing",
    arguments: postgresVersions,
    ["", "email = user*", "name = user*", "update_time > 2000-01-01T00:00:00Z"])
  func passedOver(programs: PostgresPrograms?, filter: String) async throws {
    let (users, handle) = try await store(5, programs)
    let reading = try read(filter, through: users[3].id, limit: 3, handle)
    #expect(Set(reading.users) == [users[0].id, users[2].id, users[3].id])
    let second = try read(filter, after: reading.read.position, through: users[3].id, limit: 3, handle)
    #expect(second.users.isEmpty && second.read.isOver)
  }

  @Test(
    "a filter that few users pass gets more rows with each request, up to a bound",
    arguments: postgresVersions)
  func growing(programs: PostgresPrograms?) async throws {
    let (_, handle) = try await store(2 * UsersRead.looks + 10, programs)
    var asked: [Int] = []
    var position: ListingPosition?
    var isOver = false
    var pages = 0
    while !isOver {
      let reading = try read("email = user* AND name = none", after: position, limit: 10, handle)
      #expect(reading.users.isEmpty)
      // A row of each request may be the first one of the next.
      #expect(reading.asked.reduce(0, +) <= UsersRead.looks + reading.asked.count)
      (position, isOver) = (reading.read.position, reading.read.isOver)
      if pages == 0 { asked = reading.asked }
      pages += 1
    }
    #expect(pages == 3)
    #expect(asked.starts(with: [11, 44, 176]) && asked.count <= 6)
  }
}
