/// A statement that is prepared on every connection that uses it.
struct Statement: Hashable, Sendable {
  /// Its name on the server.
  let name: String
  let sql: String

  init(_ name: String, _ sql: String) {
    self.name = name
    self.sql = sql
  }
}

/// A statement with its parameters.
struct Command: Sendable {
  let statement: Statement
  let parameters: [SQLValue]

  init(_ statement: Statement, _ parameters: SQLValue...) {
    self.statement = statement
    self.parameters = parameters
  }

  init(_ statement: Statement, _ parameters: [SQLValue]) {
    self.statement = statement
    self.parameters = parameters
  }
}
