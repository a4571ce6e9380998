import CLibpq
import Dispatch
import Glibc

/// Opens connections, which takes as long as the server and the resolution of its name do: never on an event loop.
struct PostgresConnector: Sendable {
  /// What a connection is for.
  enum Role: Sendable {
    case reading
    case writing(lockTimeout: Duration)
    /// One command after another, without time limits but for that of locks.
    case administration(lockTimeout: Duration)

    fileprivate var isAdministration: Bool {
      if case .administration = self { true } else { false }
    }
  }

  let address: PostgresAddress
  let role: Role
  /// The statements to prepare, which need the schema of this version; none for administration.
  var statements: [Statement] = []
  var schemaVersion = 0

  /// How long a server may take to set a session up, after it has let it in.
  private static let setUpLimit: DispatchTimeInterval = .seconds(10)

  /// The oldest server that is supported: 13. Its statements are those of the oldest version with security updates.
  private static let oldestServer = 130_000

  /// Opens a connection and prepares its statements.
  func open() throws(PostgresFailure) -> LibpqHandle {
    let handle = try connect()
    let limit = limitSetUp(of: handle)
    defer { limit?.cancel() }
    guard handle.serverVersion >= Self.oldestServer else {
      throw .lost("the server is older than PostgreSQL 13")
    }
    let settings = try handle.executeAll(sessionSQL)
    // A standby lacks the last commits.
    guard role.isAdministration || settings.text(0, 1) != "t" else { throw .lost("the server is a standby") }
    guard settings.text(0, 0) == "UTF8" else {
      throw .lost("the database has the encoding \(settings.text(0, 0)); user-service needs one with UTF8")
    }
    if !statements.isEmpty {
      try requireSchema(handle)
      try handle.prepare(statements)
    }
    return handle
  }

  /// Ends the connection if the session is not set up in time: libpq's own limit of time ends with authentication.
  private func limitSetUp(of handle: LibpqHandle) -> DispatchWorkItem? {
    if role.isAdministration { return nil }
    let item = DispatchWorkItem { [weak handle] in
      if let handle { _ = shutdown(handle.socket, Int32(SHUT_RDWR)) }
    }
    DispatchQueue.global().asyncAfter(deadline: .now() + Self.setUpLimit, execute: item)
    return item
  }

  private func connect() throws(PostgresFailure) -> LibpqHandle {
    // Later parameters win, so that an operator's URI decides. An unplugged server is noticed in half a minute.
    var parameters = [
      ("fallback_application_name", "user-service"), ("keepalives_idle", "10"), ("keepalives_interval", "5"),
      ("keepalives_count", "3"), ("tcp_user_timeout", "20000"),
    ]
    if getenv("PGCONNECT_TIMEOUT") == nil { parameters.append(("connect_timeout", "5")) }
    // Of several hosts, the one that is not a standby.
    if getenv("PGTARGETSESSIONATTRS") == nil { parameters.append(("target_session_attrs", "primary")) }
    parameters += [("dbname", address.uri), ("client_encoding", "UTF8")]
    let keywords = parameters.map { strdup($0.0) } + [nil]
    let values = parameters.map { strdup($0.1) } + [nil]
    defer { for text in keywords + values { free(text) } }
    let connection = PQconnectdbParams(
      keywords.map { UnsafePointer($0) }, values.map { UnsafePointer($0) }, 1)
    // Only for lack of memory.
    guard let connection else { throw .lost("out of memory") }
    let handle = LibpqHandle(connection)
    guard handle.isConnected else { throw .lost(handle.message) }
    return handle
  }

  private var sessionSQL: String {
    var settings = [
      "current_setting('server_encoding')",
      "pg_is_in_recovery()",
      // An acknowledged write must survive the loss of power. Anything above is the operator's choice.
      """
      set_config('synchronous_commit',
        CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END,
        false)
      """,
    ]
    func set(_ name: String, _ value: String) { settings.append("set_config('\(name)', '\(value)', false)") }
    // Sets a time limit where the operator has set none.
    func limit(_ name: String, _ value: String) {
      settings.append(
        """
        set_config('\(name)', CASE current_setting('\(name)') WHEN '0' THEN '\(value)'
          ELSE current_setting('\(name)') END, false)
        """)
    }
    // Compiling a statement takes longer than any of these, and a method that is off counts as a cost that asks for it.
    set("jit", "off")
    switch role {
    case .reading:
      set("default_transaction_read_only", "on")
      set("default_transaction_isolation", "read committed")
      limit("statement_timeout", "8s")
      // Only a change of the schema locks rows or tables against reads.
      limit("lock_timeout", "2s")
      // Every read goes by an index, in its order. A server that has no statistics yet might sort a whole table instead,
      // and keep that plan.
      for method in ["enable_seqscan", "enable_bitmapscan", "enable_sort"] { set(method, "off") }
      set("plan_cache_mode", "force_generic_plan")
    case .writing(let lockTimeout):
      limit("statement_timeout", "30s")
      // 0 would mean no limit.
      set("lock_timeout", "\(max(Int(lockTimeout / .milliseconds(1)), 1))ms")
      // A service that is cut off in a transaction must not keep the others from writing.
      limit("idle_in_transaction_session_timeout", "10s")
      // Plans that are made for empty tables are kept while they grow.
      set("enable_seqscan", "off")
    case .administration(let lockTimeout):
      set("lock_timeout", "\(max(Int(lockTimeout / .milliseconds(1)), 1))ms")
    }
    return "SELECT \(settings.joined(separator: ", "))"
  }

  /// - Throws: the failure of an undefined table if the schema is too old.
  private func requireSchema(_ handle: LibpqHandle) throws(PostgresFailure) {
    let found = try handle.execute(
      Command(Statement("", "SELECT coalesce(max(version), 0)::bigint FROM schema_migrations")))
    guard found.integer(0, 0) >= Int64(schemaVersion) else {
      throw PostgresFailure(origin: .statement, state: "42P01", message: "migrations are not applied")
    }
  }
}
