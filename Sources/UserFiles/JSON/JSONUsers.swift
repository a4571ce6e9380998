import UserServiceClient

/// Reads rows from the JSON of one user each.
struct JSONUsers {
  private let format: ImportFormat
  /// The longest row, in bytes.
  let maximumLength: Int

  init(_ format: ImportFormat) {
    self.format = format
    // The users of other systems have parts that are not read, such as keys and roles.
    maximumLength = if case .users = format { CSVParser.maximumLength } else { 1 << 20 }
  }

  /// Returns the row of a user whose JSON is `bytes`; nil for white space, and for a note by ``UserFileWriter``.
  func row(_ bytes: UnsafeBufferPointer<UInt8>, line: Int) -> UserFileRow? {
    if bytes.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\t") }) {
      return nil
    }
    let user = Result { () throws(UserFileRow.Problem) in try self.user(bytes) }
    if case .success(nil) = user { return nil }
    return UserFileRow(line: line, user: user.map { $0 ?? ImportedUser(email: "") }, original: Array(bytes))
  }

  /// Returns the user, or nil for a note.
  private func user(_ bytes: UnsafeBufferPointer<UInt8>) throws(UserFileRow.Problem) -> ImportedUser? {
    if bytes.count > maximumLength {
      let name = if case .users = format { "line" } else { "user" }
      throw UserFileRow.Problem("the \(name) exceeds \(maximumLength) bytes")
    }
    var reader = JSONReader(bytes)
    guard reader.next == UInt8(ascii: "{") else { throw Self.problem(of: bytes, .malformed) }
    if case .users = format { return try FlatUser.read(&reader, bytes) }
    let value: JSONValue
    do throws(JSONReader.Fault) {
      value = try reader.value()
      try reader.end()
    } catch {
      throw Self.problem(of: bytes, error)
    }
    if value.isNote { return nil }
    return try user(value)
  }

  private func user(_ value: JSONValue) throws(UserFileRow.Problem) -> ImportedUser {
    switch format {
    case .firebase(let hashing): try ImportedUser(firebase: value, hashing)
    case .kratos: try ImportedUser(kratos: value)
    case .auth0: try ImportedUser(auth0: value)
    case .keycloak: try ImportedUser(keycloak: value)
    case .users: throw UserFileRow.Problem("not a JSON object")
    }
  }

  /// Describes why `bytes` cannot be read.
  static func problem(of bytes: UnsafeBufferPointer<UInt8>, _ fault: JSONReader.Fault) -> UserFileRow.Problem
  {
    if let problem = TextEncoding.problem(of: Array(bytes)) { return UserFileRow.Problem(problem) }
    // Text in UTF-16 has NULs; JSON forbids them (RFC 8259 section 7).
    if bytes.contains(0) {
      return UserFileRow.Problem("a NUL, which JSON forbids; if the file is UTF-16, save it as UTF-8")
    }
    switch fault {
    case .malformed: return UserFileRow.Problem("not a JSON object")
    case .tooDeep: return UserFileRow.Problem("nested deeper than \(JSONReader.deepest) levels")
    }
  }
}
