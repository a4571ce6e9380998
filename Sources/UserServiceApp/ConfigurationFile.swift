import Foundation
import Primitives

/// The JSON file of settings that `--config` names.
///
/// swift-configuration's `JSONSnapshot` ignores unknown settings, such as misspelt ones, and does not report the
/// place of a syntax error.
struct ConfigurationFile {
  private let path: String

  /// Names the file at `path`.
  init(_ path: String) {
    self.path = path
  }

  /// Reads the file and returns its settings as texts by name.
  ///
  /// - Parameter settings: the settings that the file may contain.
  /// - Throws: an error that names the file and the place, also for an unknown setting.
  func read(_ settings: [Setting]) throws(InvalidSetting) -> [String: String] {
    var contents: Data
    do {
      contents = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw InvalidSetting(description: "\(path): \(error.fileProblem)")
    }
    if contents.starts(with: [0xEF, 0xBB, 0xBF]) { contents = contents.dropFirst(3) }
    if let error = JSONSyntax.firstError(in: contents) {
      throw InvalidSetting(description: "\(path), \(error)")
    }
    let value: JSONValue
    do {
      value = try JSONDecoder().decode(JSONValue.self, from: contents)
    } catch {
      // The grammar permits numbers that the decoder cannot represent.
      throw InvalidSetting(description: "\(path): a value is out of range")
    }
    guard case .object(let object) = value else {
      throw InvalidSetting(
        description: "\(path): the file must be one JSON object, such as {\"database\": \"users.db\"}")
    }
    var texts: [String: String] = [:]
    try read(object, group: "", settings, &texts)
    return texts
  }

  /// Reads the settings whose names begin with `group`. The rest of a name is one key with dots, or nested objects.
  private func read(
    _ object: [String: JSONValue], group: String, _ settings: [Setting], _ texts: inout [String: String]
  ) throws(InvalidSetting) {
    for (key, value) in object.sorted(by: { $0.key < $1.key }) {
      let name = group + key
      let setting = settings.first { $0.name == name }
      let isGroup = settings.contains { $0.name.hasPrefix(name + ".") }
      // `grpc.compression` is a setting and a group.
      if isGroup, case .object(let members) = value {
        try read(members, group: name + ".", settings, &texts)
      } else if let setting {
        guard texts.updateValue(try text(of: value, setting), forKey: name) == nil else {
          throw InvalidSetting(description: "\(path): the setting '\(name)' is given twice")
        }
      } else if isGroup {
        throw InvalidSetting(description: "\(path): '\(name)' is a group of settings and must be an object")
      } else {
        throw InvalidSetting(description: "\(path): unknown setting '\(name)'")
      }
    }
  }

  /// Returns the text that `value` stands for.
  private func text(
    of value: JSONValue, _ setting: Setting
  ) throws(InvalidSetting) -> String {
    let problem: String
    switch value {
    case .text(let text): return text
    case .flag(let flag): return "\(flag)"
    case .whole(_) where setting.shape == .truth, .number(_) where setting.shape == .truth:
      problem = "is a number; it must be true or false"
    case .whole(let number): return "\(number)"
    case .number(let number): return "\(number)"
    case .list(let list):
      let texts = list.compactMap { if case .text(let text) = $0 { text } else { nil } }
      if texts.count == list.count, setting.shape == .list { return texts.joined(separator: ",") }
      problem =
        setting.shape == .list
        ? "is a list with an element that is not a string" : "is a list; it must be one value"
    case .object: problem = "is an object; it must be one value"
    case .null: problem = "is null; omit it to use the default"
    }
    throw InvalidSetting(description: "\(path): the setting '\(setting.name)' \(problem)")
  }
}

/// A JSON value that distinguishes `true` from 1.
private enum JSONValue: Decodable {
  case null
  case flag(Bool)
  case whole(Int)
  case number(Double)
  case text(String)
  case list([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    // A failed attempt to decode one type is followed by the next.
    if container.decodeNil() {
      self = .null
    } else if let flag = try? container.decode(Bool.self) {
      self = .flag(flag)
    } else if let number = try? container.decode(Int.self) {
      self = .whole(number)
    } else if let number = try? container.decode(Double.self) {
      self = .number(number)
    } else if let text = try? container.decode(String.self) {
      self = .text(text)
    } else if let list = try? container.decode([JSONValue].self) {
      self = .list(list)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }
}

/// Parses JSON (RFC 8259) to locate a syntax error.
struct JSONSyntax {
  /// A syntax error and its place.
  struct Violation: Error, CustomStringConvertible {
    let line: Int
    let column: Int
    let problem: String

    var description: String { "line \(line), column \(column): \(problem)" }
  }

  private static let deepest = 64

  private let bytes: [UInt8]
  private var position = 0

  /// Returns the first syntax error in `contents`, or nil for valid JSON. A byte order mark at the start is skipped.
  static func firstError(in contents: Data) -> Violation? {
    guard String(validating: contents, as: UTF8.self) != nil else {
      return Violation(line: 1, column: 1, problem: "the file is not UTF-8")
    }
    var syntax = JSONSyntax(
      bytes: Array(contents.starts(with: [0xEF, 0xBB, 0xBF]) ? contents.dropFirst(3) : contents))
    do throws(Violation) {
      try syntax.value(depth: 0)
      syntax.skipSpace()
      if syntax.next != nil { throw syntax.unexpected("the end of the file") }
      return nil
    } catch {
      return error
    }
  }

  private init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private func unexpected(_ wanted: String) -> Violation {
    let before = bytes[..<position]
    let lineStart = (before.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1
    // Columns count characters; continuation bytes have the high bits 10.
    let column = bytes[lineStart..<position].count { $0 & 0xC0 != 0x80 } + 1
    let line = before.count { $0 == UInt8(ascii: "\n") } + 1
    return Violation(
      line: line, column: column, problem: next == nil ? "\(wanted) is missing" : "\(wanted) is expected")
  }

  private mutating func skipSpace() {
    while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws(Violation) {
    skipSpace()
    guard depth < Self.deepest else { throw unexpected("less nesting") }
    switch next {
    case UInt8(ascii: "{"):
      try items("}", depth) { (syntax, depth) throws(Violation) in
        try syntax.member(depth)
      }
    case UInt8(ascii: "["):
      try items("]", depth) { (syntax, depth) throws(Violation) in
        try syntax.value(depth: depth)
      }
    case UInt8(ascii: "\""): try string()
    default: try word()
    }
  }

  private mutating func items(
    _ end: Unicode.Scalar, _ depth: Int, _ item: (inout JSONSyntax, Int) throws(Violation) -> Void
  ) throws(Violation) {
    position += 1
    if take(end) { return }
    repeat { try item(&self, depth + 1) } while take(",")
    if !take(end) { throw unexpected("a comma or '\(end)'") }
  }

  private mutating func member(_ depth: Int) throws(Violation) {
    skipSpace()
    guard next == UInt8(ascii: "\"") else { throw unexpected("a name in quotes") }
    try string()
    if !take(":") { throw unexpected("a colon") }
    try value(depth: depth)
  }

  private mutating func string() throws(Violation) {
    position += 1
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        return
      case UInt8(ascii: "\\"):
        guard position + 1 < bytes.count, #""\/bfnrtu"#.utf8.contains(bytes[position + 1]) else {
          throw unexpected(#"one of \" \\ \/ \b \f \n \r \t \u"#)
        }
        position += 2
      case ..<0x20: throw unexpected("a closing quote, or an escape in place of a control character,")
      default: position += 1
      }
    }
    throw unexpected("a closing quote")
  }

  /// Parses true, false, null, or a number.
  private mutating func word() throws(Violation) {
    let start = position
    while let byte = next, !#" ,]}:"#.utf8.contains(byte), byte > 0x20 { position += 1 }
    let word = String(decoding: bytes[start..<position], as: UTF8.self)
    if ["true", "false", "null"].contains(word) { return }
    if word.wholeMatch(of: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/) != nil { return }
    position = start
    throw unexpected("a value")
  }
}
