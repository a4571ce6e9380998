import Foundation
import UserServiceClient

/// Reads a user out of each line of JSON.
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
        // One more byte than may be tells that it is too long.
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
      // The row has this buffer; one of the same capacity would be as long as the longest line so far.
      bytes = []
    }
    if bytes.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\t") }) {
      return nil
    }
    let user = Result { () throws(UserFileRow.Problem) in try self.user() }
    if case .success(nil) = user { return nil }
    return UserFileRow(line: line, user: user.map { $0 ?? NewUser(email: "") }, original: bytes)
  }

  /// The user of the line, or nil for a note of ``UserFileWriter``.
  private func user() throws(UserFileRow.Problem) -> NewUser? {
    if bytes.count > Self.maximumLength {
      throw UserFileRow.Problem("a line of more than \(Self.maximumLength) bytes")
    }
    if let problem = TextEncoding.problem(of: bytes) { throw UserFileRow.Problem(problem) }
    // The decoder takes text with NULs for UTF-16 (RFC 4627 §3), and JSON permits none (RFC 8259 §7).
    if bytes.contains(0) { throw UserFileRow.Problem("a NUL, which JSON does not permit: is it UTF-16?") }
    let value: [String: JSONValue]
    do {
      value = try JSONDecoder().decode([String: JSONValue].self, from: Data(bytes))
    } catch {
      // The decoder's own words tell of its types, which does not help the writer of the file.
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
        throw UserFileRow.Problem("\(name) is no string")
      }
      switch column {
      case .email: (user.email, hasEmail) = (text, true)
      case .name: user.name = text
      case .password: user.password = text.isEmpty ? nil : text
      case .id, .status, .createdAt, .line, .reason: break
      }
    }
    if !hasEmail { throw UserFileRow.Problem("there is no email") }
    return user
  }
}

/// As much of a JSON value as matters here.
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
      // Anything but a string is of no interest, whatever it is.
      self = .text(text)
    } else {
      self = .other
    }
  }
}
