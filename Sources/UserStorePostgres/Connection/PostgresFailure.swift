import UserDomain

/// A failure of the server, or of the connection to it.
struct PostgresFailure: Error, Hashable, Sendable {
  /// What has failed.
  enum Origin: Hashable, Sendable {
    /// The server has refused a statement; the connection goes on.
    case statement
    /// The connection could not be made, or has ended.
    case connection
    /// The caller's task was cancelled while it waited.
    case cancellation
    /// Too many statements wait for their results.
    case overload
  }

  let origin: Origin
  /// The SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html); empty if the server has not said one.
  let state: String
  /// libpq's or the server's message: for the log, never for a client.
  let message: String
  /// The column whose constraint a value does not meet.
  var column: String?

  /// Creates the failure of a connection.
  static func lost(_ message: String, state: String = "") -> PostgresFailure {
    PostgresFailure(origin: .connection, state: state, message: message.trimmingNewlines)
  }

  static let cancelled = PostgresFailure(origin: .cancellation, state: "", message: "cancelled")
  static let overloaded = PostgresFailure(origin: .overload, state: "", message: "too many statements wait")

  /// Whether the same transaction may succeed if it is tried again: it lost against another one.
  var isConflict: Bool { state == "40001" || state == "40P01" }

  /// Whether a lock was not free in time, or at once where it was asked for so.
  var isLocked: Bool { state == "55P03" }

  /// Whether a lock was not free, or a statement took too long.
  var isTimeout: Bool { isLocked || state == "57014" }

  /// Whether the connection is of no use, although it is open: its server does not take writes (any more).
  var endsConnection: Bool {
    // A read-only server; a transaction that has failed and was not rolled back; a session that was idle for too long; a
    // server that shuts down, has crashed or starts.
    ["25006", "25P02", "25P03", "25P04"].contains(state) || state.hasPrefix("57P") || state.hasPrefix("08")
  }
}

extension UserError {
  /// Creates the error of a call that met `failure`.
  init(_ failure: PostgresFailure) {
    self =
      switch failure.origin {
      case .cancellation: .cancelled
      case .overload: .overloaded(retryAfter: .seconds(1))
      case .statement, .connection: .storage(StorageFault(failure))
      }
  }
}

extension StorageFault {
  /// Creates the fault by its SQLSTATE, never by its message.
  init(_ failure: PostgresFailure) {
    let state = failure.state
    self.init(
      kind: Kind(failure), resultCode: 0,
      message: state.isEmpty ? failure.message : "\(failure.message) (SQLSTATE \(state))")
  }
}

extension StorageFault.Kind {
  fileprivate init(_ failure: PostgresFailure) {
    self =
      switch failure.state {
      // Serialization failure, deadlock, lock and statement time-outs.
      case "40001", "40P01", "55P03", "57014": .busy
      case "53100": .full
      // A missing table or column.
      case "42P01", "42703": .notMigrated
      case "58030": .inputOutput
      case "XX001", "XX002": .corrupt
      case let state where state.hasPrefix("53"): .busy
      case _ where failure.endsConnection: .disconnected
      default: failure.origin == .connection ? .disconnected : .unexpected
      }
  }
}

extension String {
  /// The text without line breaks at its end, as libpq's messages have them, and with those inside as spaces.
  var trimmingNewlines: String {
    split(whereSeparator: \.isNewline).map { $0.trimmingPrefix { $0 == " " || $0 == "\t" } }.joined(
      separator: " ")
  }
}
