import CLibpq
import UserDomain

/// The rows that a statement returned, in the binary forms of their types.
///
/// `@unchecked Sendable`: libpq's result is not changed after it was received, and any thread may read it
/// (postgresql.org/docs/current/libpq-threading.html).
final class QueryResult: @unchecked Sendable {
  private let result: OpaquePointer

  /// Takes ownership of a result of libpq.
  init(_ result: OpaquePointer) {
    self.result = result
  }

  deinit {
    PQclear(result)
  }

  /// What kind of result it is.
  var status: ExecStatusType { PQresultStatus(result) }

  /// The number of rows.
  var count: Int { Int(PQntuples(result)) }

  /// The command's tag, such as `COMMIT`.
  var tag: String { String(cString: PQcmdStatus(result)) }

  /// The number of rows that a statement without results has changed.
  var changedCount: Int { Int(String(cString: PQcmdTuples(result))) ?? 0 }

  /// The failure in the result.
  var failure: PostgresFailure {
    let state = PQresultErrorField(result, Self.stateField).map { String(cString: $0) } ?? ""
    let text = PQresultErrorField(result, Self.messageField) ?? PQresultErrorMessage(result)
    let message = (text.map { String(cString: $0) } ?? "").trimmingNewlines
    var failure = PostgresFailure(origin: .statement, state: state, message: message)
    failure.column = PQresultErrorField(result, Self.columnField).map { String(cString: $0) }
    let severity = PQresultErrorField(result, Self.severityField).map { String(cString: $0) }
    // Without a SQLSTATE it is libpq's own: the connection has ended, as it has after the gravest ones.
    let isEnd = state.isEmpty || severity == "FATAL" || severity == "PANIC" || failure.endsConnection
    return isEnd ? .lost(message, state: state) : failure
  }

  // The letters of PG_DIAG_SQLSTATE, PG_DIAG_MESSAGE_PRIMARY, PG_DIAG_COLUMN_NAME and PG_DIAG_SEVERITY_NONLOCALIZED, macros
  // that Swift does not import.
  fileprivate static let stateField = Int32(UInt8(ascii: "C"))
  private static let messageField = Int32(UInt8(ascii: "M"))
  private static let severityField = Int32(UInt8(ascii: "V"))
  private static let columnField = Int32(UInt8(ascii: "c"))

  func isNull(_ row: Int, _ column: Int32) -> Bool { PQgetisnull(result, Int32(row), column) != 0 }

  /// The bytes of a value, which live as long as this object.
  func bytes(_ row: Int, _ column: Int32) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: PQgetvalue(result, Int32(row), column), count: Int(PQgetlength(result, Int32(row), column)))
  }

  /// A `bigint`; 0 for a value of another length.
  func integer(_ row: Int, _ column: Int32) -> Int64 {
    let bytes = bytes(row, column)
    return bytes.count == 8 ? Int64(bigEndian: bytes.loadUnaligned(as: Int64.self)) : 0
  }

  /// A `smallint`; 0 for a value of another length.
  func small(_ row: Int, _ column: Int32) -> Int16 {
    let bytes = bytes(row, column)
    return bytes.count == 2 ? Int16(bigEndian: bytes.loadUnaligned(as: Int16.self)) : 0
  }

  /// A `boolean`.
  func flag(_ row: Int, _ column: Int32) -> Bool { bytes(row, column).first == 1 }

  /// A `uuid`; nil for NULL.
  func id(_ row: Int, _ column: Int32) -> UserID? { UserID(bytes: bytes(row, column)) }

  func blob(_ row: Int, _ column: Int32) -> [UInt8] { Array(bytes(row, column)) }

  func text(_ row: Int, _ column: Int32) -> String { String(decoding: bytes(row, column), as: UTF8.self) }

  func time(_ row: Int, _ column: Int32) -> Timestamp {
    Timestamp(microsecondsSinceEpoch: integer(row, column))
  }

  func optionalTime(_ row: Int, _ column: Int32) -> Timestamp? {
    isNull(row, column) ? nil : time(row, column)
  }
}

/// The warnings of a connection, which libpq hands to a C function.
///
/// `@unchecked Sendable`: used only where its connection is.
final class ServerWarnings: @unchecked Sendable {
  /// A warning of the class without a condition of its own (SQLSTATE 01000), such as that of a commit that no standby has
  /// confirmed: its wait was cancelled.
  private(set) var last: String?

  /// Notes a notice of the server.
  func note(_ result: OpaquePointer?) {
    guard let state = PQresultErrorField(result, QueryResult.stateField), String(cString: state) == "01000"
    else {
      return
    }
    last = PQresultErrorMessage(result).map { String(cString: $0).trimmingNewlines }
  }

  /// Forgets what was noted.
  func forget() { last = nil }
}
