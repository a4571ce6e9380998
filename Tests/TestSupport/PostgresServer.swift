import Foundation
import Glibc
import Synchronization
import Testing
import UserStore
import UserStorePostgres

/// A PostgreSQL server over a cluster of its own in a temporary folder, which trusts every connection.
///
/// It ends with the process of the tests, however that ends, or when this object is released: the shell that supervises it
/// waits for the end of a pipe. As root, the server runs as the account `postgres` that Debian's package creates, because
/// PostgreSQL refuses root.
public final class PostgresServer: Sendable {
  /// The programs that it runs.
  public let programs: PostgresPrograms
  /// The TCP port on 127.0.0.1, also part of the Unix socket's name.
  public let port: Int
  /// The folder with the cluster (`data`), the server's messages (`log`) and the Unix socket.
  public let folder: String

  private struct State {
    var starts = 0
    var process: pid_t = 0
    var databases = 0
    var template: Task<String, any Error>?
  }

  private let supervisor: ChildProcess
  private let input: Pipe
  private let state = Mutex(State())

  /// Creates a cluster and starts its server.
  public static func start(_ programs: PostgresPrograms) async throws -> PostgresServer {
    let server = try await PostgresServer(programs)
    try await server.start()
    return server
  }

  private init(_ programs: PostgresPrograms) async throws {
    self.programs = programs
    port = try Self.freePort()
    input = Pipe()
    // No other child of the tests may keep the pipe open.
    _ = fcntl(input.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
    let account =
      geteuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] : []
    // libpq's own variables would lead to another server.
    let environment = ["-i", "LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin"]
    supervisor = try ChildProcess(
      URL(fileURLWithPath: "/usr/bin/env"),
      environment + account + ["sh", "-c", Self.supervision, "sh", programs.folder, "\(port)"], input: input)
    let line = await supervisor.output(ofLines: 1)
    guard line.hasSuffix("\n") else { throw Failure(message: await supervisor.errors) }
    folder = String(line.dropLast())
  }

  /// A server that could not be started, with its messages.
  public struct Failure: Error, CustomStringConvertible {
    let message: String
    /// The messages.
    public var description: String { "PostgreSQL does not start: \(message)" }
  }

  /// Prints the folder, and then the process of the server each time that a line asks to start it.
  private static let supervision = """
    set -eu
    folder=$(mktemp -d -t pg-XXXXX)
    trap 'rm -rf "$folder"' EXIT
    trap : TERM PIPE
    cd "$folder"
    "$1/initdb" -D data -U postgres -A trust -E UTF8 --locale=C --no-sync >log 2>&1 || { cat log >&2; exit 1; }
    cat >>data/postgresql.conf <<SETTINGS
    fsync = on
    synchronous_commit = on
    shared_buffers = 32MB
    max_connections = 300
    log_min_messages = warning
    log_line_prefix = '%m [%p] '
    SETTINGS
    echo "$folder"
    server=
    while read -r _; do
      "$1/postgres" -D data -h 127.0.0.1 -p "$2" -k "$folder" >>log 2>&1 </dev/null &
      server=$!
      echo "$server"
    done
    [ -z "$server" ] || kill -QUIT "$server" || true
    wait
    """

  /// Returns a TCP port that is not in use. It is below Linux's range for outgoing connections: while a server is stopped,
  /// none of them can take its port, nor can a client that tries again and again connect to itself.
  private static func freePort() throws -> Int {
    while true {
      let port = Int.random(in: 10_000..<32_768)
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      guard descriptor >= 0 else { throw POSIXError(.EMFILE) }
      defer { close(descriptor) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = in_port_t(port).bigEndian
      address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
      let size = socklen_t(MemoryLayout<sockaddr_in>.size)
      let isFree = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) == 0 }
      }
      if isFree { return port }
    }
  }

  // MARK: Databases

  /// Returns the URI of a database over TCP.
  public func uri(_ database: String) -> String { "postgres://postgres@127.0.0.1:\(port)/\(database)" }

  /// Returns the URI of a database over the Unix socket.
  public func socketURI(_ database: String) -> String {
    let path = folder.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? folder
    return "postgres://postgres@\(path):\(port)/\(database)"
  }

  /// Creates a database, and returns its URI: a copy of one with all migrations, or an empty one.
  public func database(isMigrated: Bool = true) async throws -> String {
    let name = state.withLock { state in
      state.databases += 1
      return "test\(state.databases)"
    }
    try await create(name, from: isMigrated ? try await migratedTemplate() : "template1")
    return uri(name)
  }

  private func create(_ name: String, from template: String) async throws {
    let session = try await PostgresSession(socketURI("postgres"))
    try await session.execute("CREATE DATABASE \(name) TEMPLATE \(template)")
    await session.close()
  }

  private func migratedTemplate() async throws -> String {
    let task = state.withLock { state in
      let task =
        state.template
        ?? Task {
          let name = "migrated"
          try await create(name, from: "template1")
          let migrator = PostgresMigrator(try PostgresAddress(socketURI(name)))
          _ = try migrator.up(to: nil, report: { _ in }, progress: nil)
          return name
        }
      state.template = task
      return task
    }
    return try await task.value
  }

  // MARK: Life

  /// Starts the server, again on the same port and cluster. Returns when it accepts connections.
  public func start() async throws {
    let starts = state.withLock { state in
      state.starts += 1
      return state.starts
    }
    try input.fileHandleForWriting.write(contentsOf: Data("start\n".utf8))
    let lines = await supervisor.output(ofLines: 1 + starts).split(separator: "\n")
    guard lines.count == 1 + starts, let process = pid_t(lines[starts]) else {
      throw Failure(message: await supervisor.errors)
    }
    state.withLock { $0.process = process }
    try await eventually("PostgreSQL accepts connections") {
      guard isRunning(process) else { throw Failure(message: messages) }
      return statusLine(of: process) == "ready"
    }
  }

  /// Ends the server in order, without waiting for its clients.
  public func stop() async throws { try await end(by: SIGINT) }

  /// Ends the server at once, as if it had crashed.
  public func stopImmediately() async throws { try await end(by: SIGQUIT) }

  private func end(by signal: Int32) async throws {
    let process = state.withLock { $0.process }
    Glibc.kill(process, signal)
    try await eventually("PostgreSQL has ended") { !isRunning(process) }
  }

  /// Kills the server and all of its processes by SIGKILL.
  public func kill() async throws {
    let main = state.withLock { $0.process }
    // A stopped process begins no other one, so that the list of its children is complete.
    Glibc.kill(main, SIGSTOP)
    try await eventually("PostgreSQL has stopped") { processState(main) == "T" }
    let list = try String(contentsOfFile: "/proc/\(main)/task/\(main)/children", encoding: .utf8)
    let processes = list.split(separator: " ").compactMap { pid_t($0) } + [main]
    for process in processes { Glibc.kill(process, SIGKILL) }
    // A server refuses to start beside a process that has the old one's shared memory.
    try await eventually("PostgreSQL is dead") { !processes.contains(where: isRunning) }
  }

  /// The server's messages; empty if it has not written any.
  public var messages: String { (try? String(contentsOfFile: "\(folder)/log", encoding: .utf8)) ?? "" }

  /// What the running server says of itself (`postmaster.pid`): starting, ready, standby or stopping; nil before that.
  private func statusLine(of process: pid_t) -> String? {
    let file = try? String(contentsOfFile: "\(folder)/data/postmaster.pid", encoding: .utf8)
    let lines = file?.split(separator: "\n", omittingEmptySubsequences: false) ?? []
    // The file of a server that was killed stays until the next one has read it.
    guard lines.count > 7, lines[0] == "\(process)" else { return nil }
    return lines[7].trimmingCharacters(in: .whitespaces)
  }
}

/// Returns the state of a process as one letter (proc(5)); nil if it does not exist.
private func processState(_ process: pid_t) -> Character? {
  let line = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
  return line?.split(separator: ")").last?.first { $0 != " " }
}

private func isRunning(_ process: pid_t) -> Bool {
  guard let state = processState(process) else { return false }
  return state != "Z" && state != "X"
}

// MARK: The servers of the process

extension PostgresServer {
  private static let servers = Mutex<[PostgresPrograms: Task<PostgresServer, any Error>]>([:])

  /// Returns the server of a version that the tests of this process share: each creates databases of its own, and leaves
  /// the server as it is. The first caller starts it.
  public static func shared(_ programs: PostgresPrograms) async throws -> PostgresServer {
    let task = servers.withLock { servers in
      let task = servers[programs] ?? Task { try await start(programs) }
      servers[programs] = task
      return task
    }
    return try await task.value
  }
}
