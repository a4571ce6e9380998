import Foundation
import TestSupport
import Testing
import UserStore
import UserStoreSQLite

/// The program as an operator runs it: a process, its output and its exit code.
@Suite(.tags(.heavy), .fewAtOnce) struct MigrateCommandTests {
  private let directory: TemporaryDirectory
  private let database: String
  private let newest = Migration.embedded.count

  init() throws {
    directory = try TemporaryDirectory()
    database = directory.path("users.db")
  }

  private func migrate(_ word: String, _ more: String...) async throws -> Program.Outcome {
    try await Program.run("user-service", ["migrate", word, "--database", database] + more)
  }

  @Test("up, status, verify, down and up again work on a new database")
  func tour() async throws {
    var outcome = try await migrate("up", "--to", "1")
    #expect(outcome.output == "applied 0001_create_users\nat version 1\n")
    outcome = try await migrate("up")
    #expect(
      outcome.output
        == Migration.embedded.dropFirst().map { "applied \($0.id)\n" }.joined() + "at version \(newest)\n")
    outcome = try await migrate("up")
    #expect(outcome.output == "nothing to do: the database is at version \(newest)\n")
    #expect(outcome.status == 0)
    outcome = try await migrate("status")
    #expect(outcome.output.contains("create_users                 applied 2"))
    outcome = try await migrate("verify")
    #expect(outcome.output == "the database is in order\n")
    #expect(outcome.status == 0)
    outcome = try await migrate("down")
    #expect(outcome.output == "reverted \(Migration.embedded[newest - 1].id)\nat version \(newest - 1)\n")
    outcome = try await migrate("down", "--to", "0")
    #expect(
      outcome.output
        == Migration.embedded.dropLast().reversed().map { "reverted \($0.id)\n" }.joined() + "at version 0\n"
    )
    outcome = try await migrate("down")
    #expect(outcome.output == "nothing to do: the database is at version 0\n")
    outcome = try await migrate("up")
    #expect(outcome.status == 0)
  }

  @Test("only the owner can read a new database")
  func fileMode() async throws {
    _ = try await migrate("up")
    let attributes = try FileManager.default.attributesOfItem(atPath: database)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
  }

  @Test(
    "a failing command exits with 1 and one line, and creates no file",
    arguments: ["down", "status", "verify"])
  func missing(word: String) async throws {
    let outcome = try await migrate(word)
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("no such database"))
    #expect(outcome.errors.split(separator: "\n").count == 1)
    #expect(outcome.output.isEmpty)
    #expect(!FileManager.default.fileExists(atPath: database))
  }

  @Test("verify reports a pending migration")
  func pending() async throws {
    _ = try await migrate("up", "--to", "1")
    let outcome = try await migrate("verify")
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("0002_create_password_credentials"))
  }

  @Test(
    "an invalid version is reported in one line",
    arguments: [
      ("up", "999", "there is no version 999"), ("down", "10000000000000000000", "invalid"),
      ("down", "999", "there is no version"),
      ("up", "0", "use 'down --to 0'"),
    ])
  func wrongVersion(word: String, version: String, words: String) async throws {
    _ = try await migrate("up", "--to", "1")
    let outcome = try await migrate(word, "--to", version)
    #expect(outcome.status != 0)
    #expect(outcome.errors.contains(words))
  }

  @Test(
    "an invalid command line exits with 2 and a message",
    arguments: [
      ["migrate", "up"], ["migrate", "up", "--database", ""], ["migrate", "up", "--database", ":memory:"],
      ["migrate", "sideways", "--database", "x"], ["migrate", "up", "--database", "x", "--to", "one"],
      ["migrate", "up", "--database", "x", "--lock-timeout", "soon"],
      ["argon2", "calibrate", "--target", "-5ms"],
    ])
  func usage(arguments: [String]) async throws {
    let outcome = try await Program.run("user-service", arguments)
    #expect(outcome.status == 2)
    #expect(outcome.errors.hasPrefix("Error: "))
  }

  @Test("processes that migrate one new database at once all succeed, and each migration is applied once")
  func concurrentProcesses() async throws {
    let outcomes = try await withThrowingTaskGroup(of: Program.Outcome.self) { group in
      for _ in 0..<6 {
        group.addTask { try await migrate("up") }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    for outcome in outcomes { #expect(outcome.status == 0, "\(outcome.errors)") }
    let applied = outcomes.flatMap { $0.output.split(separator: "\n") }.filter { $0.hasPrefix("applied") }
    #expect(
      applied.sorted() == Migration.embedded.map { "applied \($0.id)" })
    for outcome in outcomes { #expect(outcome.output.hasSuffix("at version \(newest)\n")) }
    #expect(try await migrate("verify").status == 0)
  }

  @Test("a file that is not a database is refused and stays unchanged")
  func notADatabase() async throws {
    let foreign = Data("this is not a database, but it is long enough to have a header".utf8)
    try foreign.write(to: URL(fileURLWithPath: database))
    for word in ["up", "down", "status", "verify"] {
      let outcome = try await migrate(word)
      #expect(outcome.status == 1)
      #expect(outcome.errors.contains("not an SQLite database"))
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: database)) == foreign)
  }

  @Test("calibrate prints parameters that the program accepts")
  func calibrate() async throws {
    let outcome = try await Program.run(
      "user-service", ["argon2", "calibrate", "--target", "1ms", "--iterations", "5"])
    #expect(outcome.status == 0)
    #expect(outcome.output.hasPrefix("memory=7168KiB iterations=5 parallelism=1\n"))
  }

  @Test(
    "help names every command", arguments: [[], ["--help"], ["migrate", "--help"], ["argon2", "--help"]])
  func help(arguments: [String]) async throws {
    let outcome = try await Program.run("user-service", arguments)
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("USAGE"))
  }
}
