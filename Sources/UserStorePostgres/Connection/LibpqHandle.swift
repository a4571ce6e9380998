import CLibpq
import Glibc

/// An open connection of libpq.
///
/// `@unchecked Sendable`: it is made on one thread, and then used only on the event loop of the `PostgresConnection` that
/// owns it.
final class LibpqHandle: @unchecked Sendable {
  private let connection: OpaquePointer
  private var values: [UInt8] = []
  private let warnings = ServerWarnings()

  /// Takes ownership of a connection of libpq.
  init(_ connection: OpaquePointer) {
    self.connection = connection
    // The default receiver writes to standard error. Unretained, because the connection ends before the object.
    PQsetNoticeReceiver(
      connection,
      { context, result in
        context.map { Unmanaged<ServerWarnings>.fromOpaque($0).takeUnretainedValue().note(result) }
      }, Unmanaged.passUnretained(warnings).toOpaque())
  }

  /// The last warning in pipeline mode: see ``ServerWarnings``.
  var warning: String? { warnings.last }

  /// Whether libpq decrypts what it reads, and may hold decrypted bytes back that its socket does not show.
  var isEncrypted: Bool { PQsslInUse(connection) != 0 || PQgssEncInUse(connection) != 0 }

  deinit {
    PQfinish(connection)
  }

  /// Whether it is connected, as far as libpq knows.
  var isConnected: Bool { PQstatus(connection) == CONNECTION_OK }

  /// The descriptor of the socket.
  var socket: Int32 { PQsocket(connection) }

  /// The last error, as one line.
  var message: String { String(cString: PQerrorMessage(connection)).trimmingNewlines }

  /// The version of the server, as 150018 for 15.18.
  var serverVersion: Int { Int(PQserverVersion(connection)) }

  /// Whether a transaction is open and has not failed.
  var isInTransaction: Bool { PQtransactionStatus(connection) == PQTRANS_INTRANS }

  // MARK: Before the event loop has it

  /// Executes a statement with text parameters, waiting for its result.
  func execute(_ sql: String, _ parameters: [String] = []) throws(PostgresFailure) -> QueryResult {
    let result = withCStrings(parameters) { values in
      PQexecParams(connection, sql, Int32(values.count), nil, values, nil, nil, 0)
    }
    return try checked(result)
  }

  /// Executes one or more statements without parameters, waiting for the result of the last one.
  func executeAll(_ sql: String) throws(PostgresFailure) -> QueryResult {
    try checked(PQexec(connection, sql))
  }

  /// Executes a command, waiting for its result, in binary form.
  func execute(_ command: Command) throws(PostgresFailure) -> QueryResult {
    let result = withParameters(command.parameters) { count, values, lengths, formats in
      PQexecParams(connection, command.statement.sql, count, nil, values, lengths, formats, 1)
    }
    return try checked(result)
  }

  /// Prepares statements, waiting for each.
  func prepare(_ statements: [Statement]) throws(PostgresFailure) {
    for statement in statements {
      _ = try checked(PQprepare(connection, statement.name, statement.sql, 0, nil))
    }
  }

  /// Executes `COPY … FROM STDIN` with these bytes, waiting for its end.
  func copy(_ sql: String, _ bytes: [UInt8]) throws(PostgresFailure) {
    guard let started = PQexec(connection, sql) else { throw .lost(message) }
    let start = QueryResult(started)
    guard start.status == PGRES_COPY_IN else { throw start.failure }
    var isSent = true
    bytes.withUnsafeBytes { bytes in
      // Small parts, because libpq's buffer grows to the size of one.
      for begin in stride(from: 0, to: bytes.count, by: Self.copiedPart) where isSent {
        let part = UnsafeRawBufferPointer(rebasing: bytes[begin...].prefix(Self.copiedPart))
        // -1 for a broken connection. 0 only without blocking.
        isSent =
          PQputCopyData(connection, part.bindMemory(to: CChar.self).baseAddress, Int32(part.count)) == 1
      }
    }
    guard isSent, PQputCopyEnd(connection, nil) == 1 else { throw .lost(message) }
    defer {
      // After the command's result comes nothing more.
      while let more = PQgetResult(connection) { PQclear(more) }
    }
    _ = try checked(PQgetResult(connection))
  }

  /// The number of bytes that libpq is given at once.
  private static let copiedPart = 65_536

  private func checked(_ result: OpaquePointer?) throws(PostgresFailure) -> QueryResult {
    // Only for lack of memory, or a broken connection.
    guard let result else { throw .lost(message) }
    let answer = QueryResult(result)
    switch answer.status {
    case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: return answer
    default: throw isConnected ? answer.failure : .lost(answer.failure.message, state: answer.failure.state)
    }
  }

  // MARK: In pipeline mode

  /// Enters pipeline mode, without blocking from then on.
  func enterPipelineMode() throws(PostgresFailure) {
    warnings.forget()
    guard PQsetnonblocking(connection, 1) == 0, PQenterPipelineMode(connection) == 1 else {
      throw .lost(message)
    }
  }

  /// Queues a prepared statement. Returns false if the connection is broken.
  func send(_ command: Command) -> Bool {
    withParameters(command.parameters) { count, values, lengths, formats in
      PQsendQueryPrepared(connection, command.statement.name, count, values, lengths, formats, 1) == 1
    }
  }

  /// Queues a synchronisation point, and sends what the socket takes. Returns false if the connection is broken.
  func synchronise() -> Bool { PQpipelineSync(connection) == 1 }

  /// Sends what the socket takes. Returns whether bytes remain, or nil if the connection is broken.
  func flush() -> Bool? {
    switch PQflush(connection) {
    case 0: false
    case 1: true
    default: nil
    }
  }

  /// Reads what the socket has. Returns false if the connection has ended.
  func readInput() -> Bool { PQconsumeInput(connection) == 1 }

  /// Whether the next result has not arrived.
  var isBusy: Bool { PQisBusy(connection) != 0 }

  /// The next result; nil at the end of a request's results.
  func nextResult() -> QueryResult? { PQgetResult(connection).map { QueryResult($0) } }

  /// Calls `body` with parameters as libpq takes them. They are in one buffer, which is kept for the next command.
  private func withParameters<Result>(
    _ parameters: [SQLValue],
    _ body: (
      Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?
    ) -> Result
  ) -> Result {
    let count = parameters.count
    if count == 0 { return body(0, nil, nil, nil) }
    values.removeAll(keepingCapacity: values.capacity <= Self.keptCapacity)
    return withUnsafeTemporaryAllocation(of: Int32.self, capacity: 2 * count) { numbers in
      for (index, parameter) in parameters.enumerated() {
        let start = values.count
        parameter.write(to: &values)
        numbers[index] = Int32(values.count - start)
        numbers[count + index] = 1
      }
      // libpq copies the bytes before it returns; an address is needed for empty values, too.
      values.append(0)
      return values.withUnsafeBytes { bytes in
        withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: count) { pointers in
          var start = bytes.baseAddress!.assumingMemoryBound(to: CChar.self)
          for (index, parameter) in parameters.enumerated() {
            pointers[index] = parameter.isNull ? nil : start
            start += Int(numbers[index])
          }
          return body(count.asInt32, pointers.baseAddress, numbers.baseAddress, numbers.baseAddress! + count)
        }
      }
    }
  }

  /// The size of the buffer that is kept, in bytes.
  private static let keptCapacity = 65_536

  private func withCStrings<Result>(
    _ texts: [String], _ body: ([UnsafePointer<CChar>?]) -> Result
  ) -> Result {
    let copies = texts.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return body(copies.map { UnsafePointer($0) })
  }
}

extension Int {
  fileprivate var asInt32: Int32 { Int32(self) }
}
