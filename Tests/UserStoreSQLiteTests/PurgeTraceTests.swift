import Foundation
import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStoreSQLite

/// Tests what of a purged user stays in the files.
@Suite(.tags(.io)) struct PurgeTraceTests {
  private let directory: TemporaryDirectory
  private let clock = ManualClock()
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("users.db")
  }

  private func open() throws -> SQLiteUserRepository {
    try SQLiteUserRepository(
      .file(path), schema: .migrate, configuration: .init(),
      writes: WriteSettings(clock: { [clock] in clock.now }))
  }

  private let soft = UserRemoval.soft(retention: .seconds(60), allowsDeleted: false)

  @Test(
    "purged users leave no byte of their texts in the files, whatever pages they have been in",
    arguments: 0..<4)
  func traces(seed: UInt64) async throws {
    let repository = try open()
    var random = SplitMix(seed: seed)
    var live: [User] = []
    var gone: [String] = []
    for round in 0..<40 {
      let new = (0..<60).map { number in
        let mark = random.mark()
        return ForeignUser(
          id: Bool.random(using: &random)
            ? UserID(high: random.next() & ~0xf000 | 0x4000, low: random.next() >> 2 | 1 << 63) : nil,
          email: EmailAddress(trusted: "\(mark)@example.com"),
          name: UserName(trusted: "name \(mark)" + String(repeating: "n", count: Int(random.next() % 200))),
          labels: UserLabels(trusted: number % 3 == 0 ? "old=\(mark)\n" : ""),
          passwordHash: PasswordHash(phcString: "hash \(mark)"))
      }
      for (row, outcome) in zip(new, try await repository.importUsers(new[...], by: nil)) {
        live.append(try #require(try repository.user(id: outcome.get().id)))
        _ = row
      }
      for _ in 0..<20 {
        let index = Int(random.next() % UInt64(live.count))
        gone.append(live[index].mark)
        let mark = random.mark()
        live[index] = try await repository.update(
          live[index].id,
          UserChanges(
            email: EmailAddress(trusted: "\(mark)@example.com"), name: UserName(trusted: "name \(mark)"),
            password: .replace(PasswordHash(phcString: "hash \(mark)")), labels: UserLabels()))
      }
      for _ in 0..<20 {
        let user = live.remove(at: Int(random.next() % UInt64(live.count)))
        gone.append(user.mark)
        _ = try await repository.delete(user.id, round % 2 == 0 ? .expunge : soft, UserWrite())
      }
      clock.advance(by: .seconds(61))
      _ = try await repository.purge(at: clock.now)
    }
    try await eventually("the log is empty") {
      await repository.inspect()
      return try Data(contentsOf: URL(fileURLWithPath: path + "-wal")).isEmpty
    }
    let file = try Data(contentsOf: URL(fileURLWithPath: path))
    let found = gone.filter { file.range(of: Data($0.utf8)) != nil }
    #expect(found.isEmpty, "\(found.count) of \(gone.count)")
    // What is not purged is there, so that the search can find something.
    #expect(live.allSatisfy { file.range(of: Data($0.mark.utf8)) != nil })
    try await repository.close()
    let other = try OtherConnection(path)
    #expect(
      try await other.firstInteger("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'")
        == 1)
    try other.close()
  }
}

extension User {
  /// The text that only this state of the user has.
  fileprivate var mark: String { String(email.address.prefix { $0 != "@" }) }
}

/// A generator of repeatable random numbers (Steele, Lea and Flood, 2014).
private struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var number = state
    number = (number ^ number >> 30) &* 0xbf58_476d_1ce4_e5b9
    number = (number ^ number >> 27) &* 0x94d0_49bb_1331_11eb
    return number ^ number >> 31
  }

  /// Returns a text that occurs once.
  mutating func mark() -> String { "m" + String(next(), radix: 36) }
}
