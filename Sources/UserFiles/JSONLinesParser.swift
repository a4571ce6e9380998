import Foundation
import UserServiceClient

/// Parses one user from each line of JSON.
struct JSONLinesParser {
  /// The longest line, in bytes.
  static let maximumLength = CSVParser.maximumLength

  private var line = 1
  private var bytes: [UInt8] = []

  mutating func append(_ more: some Sequence<UInt8>) -> [UserFileRow] {
    var rows: [UserFileRow] = []
    for byte in more {
      if byte == UInt8(ascii: "\n") {
        if let row = endLine() { rows.append(row) }
      } else if bytes.count <= Self.maximumLength {
        // One byte more than the limit marks the line as too long.
        bytes.append(byte)
      }
    }
    return rows
  }

  mutating func finish() -> [UserFileRow] {
    endLine().map { [$0] } ?? []
  }

  private mutating func endLine() -> UserFileRow? {
    defer {
      line += 1
      // The row owns this buffer. Keeping the capacity would make every row as large as the longest line.
      bytes = []
    }
    if bytes.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\t") }) {
      return nil
    }
    let user = Result { () throws(UserFileRow.Problem) in try self.user() }
    if case .success(nil) = user { return nil }
    return UserFileRow(line: line, user: user.map { $0 ?? NewUser(email: "") }, original: bytes)
  }

  /// Returns the user of the line, or nil for a note by ``UserFileWriter``.
  private func user() throws(UserFileRow.Problem) -> NewUser? {
    if bytes.count > Self.maximumLength {
      throw UserFileRow.Problem("the line exceeds \(Self.maximumLength) bytes")
    }
    if let problem = TextEncoding.problem(of: bytes) { throw UserFileRow.Problem(problem) }
    // The decoder reads text with NULs as UTF-16 (RFC 4627 §3); JSON forbids NUL (RFC 8259 §7).
    if bytes.contains(0) {
      throw UserFileRow.Problem("a NUL, which JSON forbids; if the file is UTF-16, save it as UTF-8")
    }
    let value: [String: JSONValue]
    do {
      value = try JSONDecoder().decode([String: JSONValue].self, from: Data(bytes))
    } catch {
      // The decoder's message names its own types, which does not help the author of the file.
      throw UserFileRow.Problem("not a JSON object")
    }
    if value.count == 2, value[UserColumn.line.rawValue]?.isText == true,
      value[UserColumn.reason.rawValue]?.isText == true
    {
      return nil
    }
    var user = NewUser(email: "")
    var hasEmail = false
    for (name, value) in value.sorted(by: { $0.key < $1.key }) {
      guard let column = UserColumn(rawValue: name) else {
        throw UserFileRow.Problem("the key \(UserColumn.unknown(name))")
      }
      if column == .status, case .text(let status) = value { try UserFileRow.Problem.throwIfInactive(status) }
      guard UserColumn.read.contains(column) else { continue }
      guard case .text(let text) = value else {
        if case .null = value, column != .email { continue }
        throw UserFileRow.Problem("\(name) is not a string")
      }
      switch column {
      case .email: (user.email, hasEmail) = (text, true)
      case .name: user.name = text
      case .password: user.password = text.isEmpty ? nil : text
      case .id, .status, .createdAt, .line, .reason: break
      }
    }
    if !hasEmail { throw UserFileRow.Problem("email is missing") }
    return user
  }
}

/// The parts of a JSON value that the parser distinguishes.
private enum JSONValue: Decodable {
  case text(String)
  case null
  case other

  var isText: Bool { if case .text = self { true } else { false } }

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let text = try? container.decode(String.self) {
      // Values other than strings are not inspected.
      self = .text(text)
    } else {
      self = .other
    }
  }
}
