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
      bytes.removeAll(keepingCapacity: true)
    }
    if bytes.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\t") }) {
      return nil
    }
    return UserFileRow(
      line: line, user: Result { () throws(UserFileRow.Problem) in try user() },
      original: [String(decoding: bytes, as: UTF8.self)])
  }

  private func user() throws(UserFileRow.Problem) -> NewUser {
    if bytes.count > Self.maximumLength {
      throw UserFileRow.Problem("a line of more than \(Self.maximumLength) bytes")
    }
    let value: [String: JSONValue]
    do {
      value = try JSONDecoder().decode([String: JSONValue].self, from: Data(bytes))
    } catch {
      // The decoder's own words tell of its types, which is of no use to whoever wrote the file.
      throw UserFileRow.Problem("not a JSON object")
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
