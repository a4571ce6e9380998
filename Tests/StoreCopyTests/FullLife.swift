import Foundation
import TestSupport
import UserDomain
import UserStore

/// Fills a store with everything that a service can have stored.
struct FullLife {
  let store: any ServiceStore
  let revocations: any TokenRevocations
  private let now = Timestamp.now

  /// Names of every kind: empty, ASCII, of several alphabets, composed and decomposed.
  static let names = [
    "", "Ada Lovelace", "ADA", "İstanbul", "Straße", "李小龙", "e\u{301}", "👩‍👩‍👧‍👦", "O'Neil; --", "%_\\\"`",
  ]

  /// Stores the rows. Returns the users that remain, deleted ones among them.
  func fill() async throws -> [UserID] {
    _ = try await store.secret("page-token", length: 32)
    var ids = try await created()
    ids += try await imported()
    try await change(&ids)
    try await signIn(ids)
    _ = try revocations.revoke(
      RevokedToken(id: .random(), subject: "billing", expiresAt: now + .seconds(3_600), revokedAt: now),
      longest: .seconds(3_600))
    _ = try revocations.revoke(
      RevokedToken(id: .random(), subject: nil, expiresAt: nil, revokedAt: now), longest: .seconds(3_600))
    return ids
  }

  private func created() async throws -> [UserID] {
    var requests: [CreateRequest] = []
    for (number, name) in Self.names.enumerated() {
      let user = NewUser(
        email: try EmailAddress("Üser\(number)@bücher\(number).example"), name: UserName(trusted: name),
        passwordHash: number.isMultiple(of: 2) ? PasswordHash(phcString: "$argon2id$\(number)") : nil,
        labels: number.isMultiple(of: 3)
          ? UserLabels(trusted: "plan=gold\ntenant=\(number)é\n") : UserLabels())
      let id = number < 3 ? try RequestID(UUID().uuidString) : nil
      requests.append(CreateRequest(user, id: id))
    }
    return try await store.create(requests, by: nil).map { try $0.get().user.id }
  }

  private func imported() async throws -> [UserID] {
    let rows = (0..<40).map { number in
      var row = ForeignUser.sample(number)
      if number.isMultiple(of: 2) {
        row = ForeignUser(
          id: UserID(high: 0xdead_beef_0000_4000 + UInt64(number) << 20, low: 0x8000_0000_0000_0001),
          email: row.email, name: row.name,
          // From before 1970 to today.
          createdAt: now - .seconds(Int64(number) * 60 * 86_400 * 30))
      }
      if number == 4 { row.status = .inactive }
      if number == 6 {
        row.deletion = UserDeletion(deletedAt: now - .seconds(5), purgeAt: now + .seconds(9_999))
      }
      if number == 8 { row.passwordHash = PasswordHash(phcString: "$2b$10$x") }
      return row
    }
    return try await store.importUsers(rows[...], by: nil).map { try $0.get().id }
  }

  private func change(_ ids: inout [UserID]) async throws {
    _ = try await store.update(ids[1], UserChanges(name: UserName(trusted: "Ünal")), UserWrite())
    _ = try await store.update(ids[2], UserChanges(status: .inactive), UserWrite())
    _ = try await store.delete(
      ids[3], .soft(retention: .seconds(3_600), allowsDeleted: false), UserWrite())
    // An epoch remains of a user that is erased after its tokens were revoked.
    _ = try await store.update(ids[4], UserChanges(status: .inactive), UserWrite())
    _ = try await store.delete(ids[4], .expunge, UserWrite())
    ids.remove(at: 4)
  }

  private func signIn(_ ids: [UserID]) async throws {
    let network = SignInSource.network(PeerNetwork(peer: "ipv4:192.0.2.1:50000"))
    for (number, id) in [ids[0], ids[1], ids[5]].enumerated() {
      let session = Session(
        id: .random(), userID: id, tokenHash: [UInt8](repeating: UInt8(number), count: 32),
        previousHash: number == 1 ? [UInt8](repeating: 9, count: 32) : nil, rotatedAt: now,
        expiresAt: now + .seconds(86_400), keptUntil: now + .seconds(3_600))
      try await store.create(session, epoch: 0, from: network)
      if number == 2 { try await store.end(session.id, now: now) }
    }
    for account in [
      SignInAccount.user(ids[0]), .user(ids[7]), .unknown(try EmailAddress("nobody@example.com")),
    ] {
      for _ in 0..<3 { try await store.noteFailure(of: account, from: network, now: now) }
    }
  }
}
