import CLibpq
import Glibc
public import UserStore

/// The address of a database as libpq takes it: a URI
/// (postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS). What it does not say, libpq takes from its
/// environment variables, service files and password files.
public struct PostgresAddress: Hashable, Sendable {
  /// The text, which may have a password in it.
  let uri: String
  private let name: String

  /// Returns whether `text` is meant as an address of PostgreSQL, and not as the path of a file.
  public static func isAddress(_ text: String) -> Bool {
    text.hasPrefix("postgres://") || text.hasPrefix("postgresql://")
  }

  /// Creates the address in a URI.
  ///
  /// - Throws: `StoreError.inaccessible` with libpq's own words if it is not one, but without those of the URI.
  public init(_ uri: String) throws(StoreError) {
    self.uri = uri
    var error: UnsafeMutablePointer<CChar>?
    guard let options = PQconninfoParse(uri, &error) else {
      defer { PQfreemem(error) }
      let message = error.map { String(cString: $0).trimmingNewlines } ?? "out of memory"
      throw .inaccessible(
        path: "--database", reason: "not a valid address of PostgreSQL: \(Self.withoutQuotation(message))")
    }
    defer { PQconninfoFree(options) }
    name = Self.name(options)
  }

  /// Returns a message of libpq without the part of the URI that it quotes at its end: a password may be in it.
  private static func withoutQuotation(_ message: String) -> String {
    message.firstRange(of: ": \"").map { String(message[..<$0.lowerBound]) } ?? message
  }

  /// Returns an address for messages, without a password.
  private static func name(_ options: UnsafeMutablePointer<PQconninfoOption>) -> String {
    func value(_ keyword: String) -> String? {
      var option = options
      while let name = option.pointee.keyword {
        if String(cString: name) == keyword { return option.pointee.val.map { String(cString: $0) } }
        option += 1
      }
      return nil
    }
    let user = value("user").map { "\($0)@" } ?? ""
    let hosts = (value("host") ?? value("hostaddr") ?? "").split(
      separator: ",", omittingEmptySubsequences: false)
    let ports = (value("port") ?? "").split(separator: ",", omittingEmptySubsequences: false)
    let places = hosts.enumerated().map { index, host in
      let port = ports.count > 1 ? ports[min(index, ports.count - 1)] : ports.first ?? ""
      return port.isEmpty ? String(host) : "\(host):\(port)"
    }
    let database = value("dbname").map { "/\($0)" } ?? ""
    let service = value("service").map { "?service=\($0)" } ?? ""
    return "postgres://\(user)\(places.joined(separator: ","))\(database)\(service)"
  }
}

extension PostgresAddress: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The address without its password.
  public var description: String { name }
  /// The address without its password.
  public var debugDescription: String { name }
  /// Nothing but the description: `dump` would print the URI.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Opens connections, which takes as long as the server and the resolution of its name do: never on an event loop.
struct PostgresConnector: Sendable {
  /// What a connection is for.
  enum Role: Sendable {
    case reading
    case writing(lockTimeout: Duration)
    /// One command after another, without time limits but for that of locks.
    case administration(lockTimeout: Duration)
  }

  let address: PostgresAddress
  let role: Role
  /// The statements to prepare, which need the schema of this version; none for administration.
  var statements: [Statement] = []
  var schemaVersion = 0

  /// The oldest server that is supported: 13. Its statements are those of the oldest version with security updates.
  private static let oldestServer = 130_000

  /// Opens a connection and prepares its statements.
  func open() throws(PostgresFailure) -> LibpqHandle {
    let handle = try connect()
    guard handle.serverVersion >= Self.oldestServer else {
      throw .lost("the server is older than PostgreSQL 13")
    }
    let settings = try handle.executeAll(sessionSQL)
    guard settings.text(0, 0) == "UTF8" else {
      throw .lost("the database has the encoding \(settings.text(0, 0)); user-service needs one with UTF8")
    }
    if !statements.isEmpty {
      try requireSchema(handle)
      try handle.prepare(statements)
    }
    return handle
  }

  private func connect() throws(PostgresFailure) -> LibpqHandle {
    // Later parameters win, so that an operator's URI decides. An unplugged server is noticed in half a minute.
    var parameters = [
      ("fallback_application_name", "user-service"), ("keepalives_idle", "10"), ("keepalives_interval", "5"),
      ("keepalives_count", "3"), ("tcp_user_timeout", "20000"),
    ]
    if getenv("PGCONNECT_TIMEOUT") == nil { parameters.append(("connect_timeout", "5")) }
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
    switch role {
    case .reading:
      set("default_transaction_read_only", "on")
      limit("statement_timeout", "8s")
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
