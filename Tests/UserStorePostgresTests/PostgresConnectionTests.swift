import NIOPosix
import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStorePostgres

/// Tests a connection against a real server.
@Suite(.tags(.io), .fewAtOnce, .timeLimit(.minutes(5))) struct PostgresConnectionTests {
  private static let numbers = Statement("numbers", "SELECT 1 / $1::bigint")
  private static let wait = Statement("wait", "SELECT pg_advisory_lock($1)")
  private static let end = Statement("end", "SELECT pg_terminate_backend(pg_backend_pid())")
  private static let warn = Statement("warn", "SELECT warn()")
  private static let pid = Statement("pid", "SELECT pg_backend_pid()::bigint")

  private func connection(
    _ address: PostgresAddress, role: PostgresConnector.Role = .reading, _ statements: [Statement]
  ) async throws -> PostgresConnection {
    let connector = PostgresConnector(address: address, role: role, statements: statements)
    let connection = PostgresConnection(on: MultiThreadedEventLoopGroup.singleton.next()) {
      await connector.openInBackground()
    }
    #expect(await connection.start() == nil)
    return connection
  }

  /// Executes reads in one turn of the loop, so that they share a packet. Returns what each has met.
  private func together(
    _ connection: PostgresConnection, _ commands: [Command]
  ) async -> [Result<Int64, PostgresFailure>] {
    await withTaskGroup(of: (Int, Result<Int64, PostgresFailure>).self) { group in
      for (index, command) in commands.enumerated() {
        group.addTask {
          do throws(PostgresFailure) {
            return (index, .success(try await connection.read(command).integer(0, 0)))
          } catch {
            return (index, .failure(error))
          }
        }
      }
      return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }.sorted { $0.key < $1.key }.map(\.value)
    }
  }

  @Test("a read that fails takes no other with it, and the connection goes on", arguments: postgresVersions)
  func failsAlone(programs: PostgresPrograms?) async throws {
    let connection = try await connection(try await newDatabase(programs), [Self.numbers, Self.pid])
    let process = try await connection.read(Command(Self.pid)).integer(0, 0)
    for round in 0..<20 {
      let outcomes = await together(
        connection, (0..<32).map { Command(Self.numbers, .integer($0 % 8 == round % 8 ? 0 : 1)) })
      for (index, outcome) in outcomes.enumerated() {
        if index % 8 == round % 8 {
          guard case .failure(let failure) = outcome else { throw Unexpected("\(outcome)") }
          #expect(failure.state == "22012")
        } else {
          #expect(outcome == .success(1))
        }
      }
    }
    // It is still the first session.
    #expect(try await connection.read(Command(Self.pid)).integer(0, 0) == process)
    #expect(await connection.openings == 1)
    await connection.end()
  }

  @Test(
    "a session that the server ends is a lost connection for all that wait, and comes back",
    arguments: postgresVersions)
  func sessionEnds(programs: PostgresPrograms?) async throws {
    let connection = try await connection(try await newDatabase(programs), [Self.end, Self.numbers])
    let outcomes = await together(
      connection, [Command(Self.end)] + (0..<8).map { _ in Command(Self.numbers, .integer(1)) })
    for outcome in outcomes {
      if case .failure(let failure) = outcome { #expect(failure.origin == .connection, "\(failure)") }
    }
    guard case .failure = outcomes[0] else { throw Unexpected("\(outcomes[0])") }
    // Reads fail until then.
    try await eventually("the connection is back") {
      (try? await connection.read(Command(Self.numbers, .integer(1)))) != nil
    }
    await connection.end()
  }

  @Test("what waits behind a lock fails with the first that has waited too long, not one after another")
  func locked() async throws {
    let address = try await newDatabase(postgresVersions[0])
    let holder = try connect(address)
    _ = try holder.executeAll("SELECT pg_advisory_lock(7)")
    let connection = try await connection(address, [Self.wait, Self.numbers])
    // Each would wait for 2 seconds, the limit of reads for locks, one after another: longer than this test may take.
    let outcomes = await together(connection, (0..<400).map { _ in Command(Self.wait, .integer(7)) })
    for outcome in outcomes {
      guard case .failure(let failure) = outcome else { throw Unexpected("\(outcome)") }
      #expect(StorageFault(failure).kind == .busy, "\(failure)")
    }
    await connection.end()
  }

  @Test("a failed transaction that reads is not left open")
  func failedTransaction() async throws {
    let address = try await newDatabase(postgresVersions[0])
    let connector = PostgresConnector(
      address: address, role: .reading,
      statements: [WriteStatements.rollback.statement, WriteStatements.begin.statement, Self.numbers])
    let readers = PostgresReaders(MultiThreadedEventLoopGroup.singleton, perLoop: 1, limits: .init()) {
      await connector.openInBackground()
    }
    #expect(await readers.start() == nil)
    await #expect(throws: PostgresFailure.self) {
      try await readers.run([
        Command(Statement("begin", "")), Command(Self.numbers, .integer(0)),
        Command(Self.numbers, .integer(1)),
      ])
    }
    #expect(try await readers.run([Command(Self.numbers, .integer(1))]).count == 1)
    await readers.end()
  }

  @Test("a statement that the server has warned of counts as lost: a commit may lack its standby")
  func warning() async throws {
    let address = try await newDatabase(postgresVersions[0])
    _ = try connect(address).executeAll(
      "CREATE FUNCTION warn() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'unconfirmed'; RETURN 1; END $$"
    )
    let connection = try await connection(address, [Self.warn])
    let outcomes = await together(connection, [Command(Self.warn)])
    guard case .failure(let failure) = outcomes[0] else { throw Unexpected("\(outcomes[0])") }
    #expect(failure.origin == .connection)
    #expect(failure.message.contains("unconfirmed"))
    await connection.end()
  }

  /// An outcome that is not the expected one.
  private struct Unexpected: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
      self.description = description
    }
  }
}
