import AsyncAlgorithms
import Foundation
import TestSupport
import Testing

@testable import UserServiceClient

/// Look-ups, changes, deletions and exports of the client against the real service.
@Suite(.tags(.heavy), .fewAtOnce, .timeLimit(.minutes(10))) struct LifeTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  /// Runs `body` with a client of a service without authentication.
  private func withClient(_ body: (UserServiceClient) async throws -> Void) async throws {
    let service = try await RunningService.forClient(in: directory)
    try await withUserServiceClient(.test(service.port), body)
    #expect(await service.stop().status == 0)
  }

  @Test("a user is found by its address and its id, a deleted one only on request")
  func lookups() async throws {
    try await withClient { client in
      let ada = try await client.createUser(NewUser(email: "Ada@example.com", labels: ["tenant": "a"]))
      #expect(ada.labels == ["tenant": "a"] && !ada.etag.isEmpty)
      #expect(try await client.getUser(email: "ADA@example.com") == ada)
      await #expect(throws: UserServiceError.userNotFound(id: "bob@example.com")) {
        try await client.getUser(email: "bob@example.com")
      }
      let deleted = try await client.deleteUser(id: ada.id)
      await #expect(throws: UserServiceError.userNotFound(id: ada.id)) {
        try await client.getUser(id: ada.id)
      }
      await #expect(throws: UserServiceError.userNotFound(id: ada.email)) {
        try await client.getUser(email: ada.email)
      }
      #expect(try await client.getUser(id: ada.id, showDeleted: true) == deleted)
      #expect(try await client.getUser(email: ada.email, showDeleted: true) == deleted)
      await #expect(throws: UserServiceError.usersNotFound(ids: [ada.id])) {
        try await client.users(ids: [ada.id])
      }
      #expect(try await client.users(ids: [ada.id], showDeleted: true) == [deleted])
    }
  }

  @Test("any number of users are read by their ids, in order, and missing ones are named")
  func batches() async throws {
    try await withClient { client in
      #expect(try await client.users(ids: []).isEmpty)
      let ids = try await client.bulkCreateUsers([NewUser].numbered(1_000)).userIDs
      let asked = ids + ids.reversed() + [ids[7]]
      #expect(try await client.users(ids: asked).map(\.id) == asked)
      await #expect(throws: UserServiceError.usersNotFound(ids: ["x", "y"])) {
        try await client.users(ids: ids + ["x", ids[0], "y"])
      }
      let error = await #expect(throws: UserServiceError.self) {
        try await client.users(ids: (0..<200).map { "x\($0)" })
      }
      #expect(error == .usersNotFound(ids: (0..<50).map { "x\($0)" }))
    }
  }

  @Test("an update changes exactly the fields that it has, if the etag is that of the user")
  func updates() async throws {
    try await withClient { client in
      let new = NewUser(email: "ada@example.com", name: "Ada", labels: ["tenant": "a"])
      let ada = try await client.createUser(new)
      #expect(try await client.updateUser(UserUpdate(userID: ada.id)) == ada)
      let named = try await client.updateUser(UserUpdate(userID: ada.id, name: "", etag: ada.etag))
      #expect(named.name.isEmpty && named.labels == ["tenant": "a"] && named.etag != ada.etag)
      #expect(named.updatedAt > ada.updatedAt && named.status == .active && named.email == ada.email)
      for stale in [
        UserUpdate(userID: ada.id, email: "x@example.com", etag: ada.etag),
        UserUpdate(userID: ada.id, status: .inactive, etag: ada.etag),
        UserUpdate(userID: ada.id, password: .remove, etag: ada.etag),
      ] {
        await #expect(throws: UserServiceError.etagMismatch) { try await client.updateUser(stale) }
      }
      let update = UserUpdate(userID: ada.id, status: .inactive, etag: named.etag)
      let checked = try await client.updateUser(update, labels: ["team": "b"], validateOnly: true)
      #expect(checked.status == .inactive && checked.labels == ["team": "b"])
      #expect(try await client.getUser(id: ada.id) == named)
      let changed = try await client.updateUser(update, labels: ["team": "b"])
      #expect(changed.status == .inactive && changed.labels == ["team": "b"])
      #expect(try await client.updateUser(UserUpdate(userID: ada.id), labels: [:]).labels.isEmpty)
      let stream = client.userUpdates([UserUpdate(userID: ada.id, name: "Eve", etag: ada.etag)].async)
      await #expect(throws: UserServiceError.updateFailed(index: 0, .etagMismatch)) {
        try await stream.all()
      }
    }
  }

  @Test("a deleted user is undeleted or expunged")
  func deletion() async throws {
    try await withClient { client in
      let new = try await client.createUser(NewUser(email: "ada@example.com"))
      let ada = try await client.updateUser(UserUpdate(userID: new.id, name: "Ada"))
      await #expect(throws: UserServiceError.userNotDeleted) { try await client.undeleteUser(id: ada.id) }
      await #expect(throws: UserServiceError.etagMismatch) {
        try await client.deleteUser(id: ada.id, etag: new.etag)
      }
      #expect(try await client.deleteUser(id: ada.id, validateOnly: true) == ada)
      let deleted = try await client.deleteUser(id: ada.id, etag: ada.etag)
      let (deletedAt, purgeAt) = (try #require(deleted.deletedAt), try #require(deleted.purgeAt))
      #expect(abs(purgeAt.timeIntervalSince(deletedAt) - 30 * 86_400) < 1)
      await #expect(throws: UserServiceError.userNotFound(id: ada.id)) {
        try await client.deleteUser(id: ada.id)
      }
      #expect(try await client.deleteUser(id: ada.id, etag: ada.etag, allowMissing: true) == deleted)
      #expect(try await client.listUsers().all().isEmpty)
      #expect(try await client.listUsers(showDeleted: true).all() == [deleted])
      #expect(try await client.undeleteUser(id: ada.id, validateOnly: true) == deleted)
      let restored = try await client.undeleteUser(id: ada.id, etag: deleted.etag)
      #expect(restored.deletedAt == nil && restored.purgeAt == nil)
      _ = try await client.deleteUser(id: ada.id, expunge: true)
      await #expect(throws: UserServiceError.userNotFound(id: ada.id)) {
        try await client.undeleteUser(id: ada.id)
      }
      _ = try await client.createUser(NewUser(email: "ada@example.com"))
    }
  }

  @Test("users who delete themselves give their password")
  func ownDeletion() async throws {
    let service = try await RunningService.forClient(in: directory, auth: true)
    try await withUserServiceClient(.test(service.port)) { client in
      let ada = try await client.createUser(NewUser(email: "ada@example.com", password: "correct horse"))
      try await client.signIn(email: ada.email, password: "correct horse")
      await #expect(throws: UserServiceError.currentPasswordRequired) {
        try await client.deleteUser(id: ada.id)
      }
      await #expect(throws: UserServiceError.wrongCurrentPassword) {
        try await client.deleteUser(id: ada.id, currentPassword: "wrong horse")
      }
      await #expect(throws: UserServiceError.permissionDenied(missingScope: "users:write")) {
        try await client.deleteUser(id: ada.id, expunge: true, currentPassword: "correct horse")
      }
      let deleted = try await client.deleteUser(id: ada.id, currentPassword: "correct horse")
      #expect(deleted.deletedAt != nil)
      await #expect(throws: UserServiceError.unauthenticated(.revoked)) {
        try await client.getUser(id: ada.id)
      }
    }
    await service.stop()
  }

  @Test("a listing has a filter")
  func filters() async throws {
    try await withClient { client in
      _ = try await client.bulkCreateUsers(
        (0..<250).map { NewUser(email: "user\($0)@example.com", labels: ["tenant": $0 % 2 == 0 ? "a" : "b"]) }
      )
      let found = try await client.listUsers(pageSize: 10, filter: #"labels.tenant = "a""#).all()
      #expect(found.count == 125 && found.allSatisfy { $0.labels == ["tenant": "a"] })
      #expect(try await client.listUsers(filter: #"email = "USER7@example.com""#).all().count == 1)
      let error = await #expect(throws: UserServiceError.self) {
        try await client.listUsers(filter: "nonsense").all()
      }
      guard case .invalidRequest(let fields) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(fields.map(\.name) == ["filter"])
    }
  }

  @Test("users are imported into the service, and exported, also from a page token")
  func imports() async throws {
    try await withClient { client in
      let users = (0..<500).map { number in
        ImportedUser(
          id: UUID().uuidString.lowercased(), email: "user\(number)@example.com", name: "User \(number)",
          createdAt: Date(timeIntervalSince1970: 1_700_000_000 + Double(number)), labels: ["tenant": "a"])
      }
      try await client.importUsers((users + users).async) { batch in
        for (offset, outcome) in batch.outcomes.enumerated() {
          let index = batch.firstIndex + offset
          let id = users[index % 500].id ?? ""
          #expect(outcome == (index < 500 ? .stored(id: id) : .alreadyStored(id: id)))
        }
      }
      var failed: [ImportOutcome] = []
      try await client.importUsers([ImportedUser(id: users[0].id, email: "x@example.com")].async) {
        failed += $0.outcomes
      }
      #expect(failed == [.failed(.userIDTaken)])
      var exported: [ImportedUser] = []
      for try await user in client.exportUsers() { exported.append(user) }
      #expect(exported.map(\.id) == users.map(\.id) && exported.map(\.createdAt) == users.map(\.createdAt))
      let place = try #require(exported.firstIndex { $0.pageToken != nil })
      #expect(place < 499)
      var rest: [ImportedUser] = []
      for try await user in client.exportUsers(from: exported[place].pageToken) { rest.append(user) }
      #expect(rest == Array(exported[(place + 1)...]))
    }
  }
}
