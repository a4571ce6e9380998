import Foundation
import TestSupport
import Testing
import UserStore
import UserStoreSQLite

/// `user-service copy` as an operator runs it: a process, its output and its exit code.
@Suite(.tags(.heavy), .fewAtOnce) struct CopyCommandTests {
  private let directory: TemporaryDirectory
  private let (source, target): (String, String)

  init() throws {
    directory = try TemporaryDirectory()
    (source, target) = (directory.path("users.db"), directory.path("copy.db"))
  }

  private func copy(_ arguments: String...) async throws -> Program.Outcome {
    try await Program.run("user-service", ["copy"] + arguments)
  }

  private func fill() async throws -> SQLiteUserRepository {
    let repository = try SQLiteUserRepository(.file(source))
    for number in 0..<3 { _ = try await repository.create(.sample(number)) }
    return repository
  }

  @Test("a copy prints the rows of each table, can be compared, and is not made twice")
  func tour() async throws {
    try await fill().close()
    var outcome = try await copy("--from", source, "--to", target)
    #expect(outcome.status == 0)
    #expect(outcome.output.hasPrefix("TABLE                 ROWS\nusers                 3\n"))
    #expect(outcome.output.contains("\ncopied 3 rows, and compared each, in "))
    outcome = try await copy("--from", target, "--to", source, "--verify-only")
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("\nthe databases are equal: 3 rows, in "))
    outcome = try await copy("--from", source, "--to", target)
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("\(target): the target has data already, in users, and was not changed"))
    let repository = try SQLiteUserRepository(.file(target))
    _ = try await repository.create(.sample(4))
    try await repository.close()
    outcome = try await copy("--from", source, "--to", target, "--verify-only")
    #expect(outcome.status == 1 && outcome.output.isEmpty)
    #expect(outcome.errors.contains("Error: the databases differ: in users, row "))
  }

  @Test("a database that is served, or is both source and target, is refused without a new file")
  func refused() async throws {
    try await fill().close()
    let lock = try ServiceLock(database: source, mayCreate: false)
    #expect(try lock.acquire())
    var outcome = try await copy("--from", source, "--to", target)
    #expect(outcome.status == 1)
    #expect(outcome.errors == "Error: \(source): process \(getpid()) uses this database; stop it first\n")
    lock.release()
    let link = directory.path("link.db")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: source)
    outcome = try await copy("--from", source, "--to", link)
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("source and target are the same database"))
    outcome = try await copy("--from", directory.path("none.db"), "--to", target)
    #expect(outcome.status == 1)
    #expect(!FileManager.default.fileExists(atPath: target))
  }

  @Test(
    "a wrong command line exits with 2",
    arguments: [["--from", "a"], ["--from", "", "--to", "b"], ["--from", "a", "--to", ":memory:"]])
  func usage(arguments: [String]) async throws {
    #expect(try await Program.run("user-service", ["copy"] + arguments).status == 2)
  }
}
