import UserServiceClient

/// Finds the users in a document of JSON from another system incrementally: in memory is only the current user.
///
/// A document is an array of users, an object whose member with a given name is such an array, an array of such objects,
/// or users one after another. After a first user on a line of its own, every line is a user.
struct JSONDocumentParser: RowParser {
  /// What the bytes between users belong to.
  private enum Place {
    /// Between the top-level values, or the elements of an array at the top.
    case outside
    /// In an object that may be a user, or a document that contains the array of users.
    case candidate
    /// Between the elements of the array of users in an object.
    case list
    /// In a user in that array.
    case user
    /// In an object after its array of users.
    case rest
  }

  /// What was last read at the first level of a candidate, to recognise the array of users.
  private enum Member {
    case other
    /// A text with the array's name; it may be a value.
    case name
    /// The name and a colon.
    case nameAndColon
  }

  private let format: ImportFormat
  private let users: JSONUsers
  private let listName: [UInt8]
  /// The parser of the lines, after a first user on a line of its own.
  private var lines: JSONLinesParser?

  private var place = Place.outside
  private var member = Member.other
  /// The number of open brackets.
  private var depth = 0
  /// The number of open brackets outside the current candidate, and outside the current user.
  private var outerDepth = 0
  private var isInString = false
  private var isEscaped = false
  /// The bytes of the current string, up to one more than ``listName`` has.
  private var string: [UInt8] = []
  /// The bytes of the current user or candidate that earlier chunks had; one more than the limit marks one that is too
  /// long.
  private var carried: [UInt8] = []
  private var line = 1
  private var firstLine = 1

  let header: [UInt8] = []

  init(_ format: ImportFormat) {
    self.format = format
    users = JSONUsers(format)
    listName = Array(format.listName.utf8)
  }

  mutating func append(
    _ bytes: UnsafeBufferPointer<UInt8>, to rows: inout [UserFileRow]
  ) throws(UserFileError) {
    if lines != nil {
      try lines?.append(bytes, to: &rows)
      return
    }
    // The start of the bytes of the current user or candidate in this chunk.
    var start = 0
    for position in bytes.indices {
      let byte = bytes[position]
      if byte == UInt8(ascii: "\n") { line += 1 }
      switch try take(byte) {
      case .nothing: break
      case .begin: (start, firstLine) = (position, line)
      case .forget: carried = []
      case .end:
        carry(bytes[start...position])
        if let row = endUser() { rows.append(row) }
        if place == .outside, depth == 0, firstLine == line {
          lines = JSONLinesParser(format, line: line)
          return try append(UnsafeBufferPointer(rebasing: bytes[(position + 1)...]), to: &rows)
        }
      }
    }
    if isCollecting { carry(bytes[start...]) }
  }

  mutating func finish() throws(UserFileError) -> [UserFileRow] {
    if lines != nil { return try lines?.finish() ?? [] }
    if depth > 0 { throw UserFileError(line: line, "the file ends within a document") }
    return []
  }

  private var isCollecting: Bool { place == .candidate || place == .user }

  private mutating func carry(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) {
    carried += bytes.prefix(max(users.maximumLength + 1 - carried.count, 0))
  }

  private mutating func endUser() -> UserFileRow? {
    defer { carried = [] }
    // Only valid JSON has line breaks between its tokens; a file of rejected rows has a user a line.
    for index in carried.indices where carried[index] == 0x0A || carried[index] == 0x0D {
      carried[index] = 0x20
    }
    return carried.withUnsafeBufferPointer { users.row($0, line: firstLine) }
  }
}

extension JSONDocumentParser {
  /// The effect of a byte.
  private enum Effect {
    case nothing
    /// It is the first byte of a user or candidate.
    case begin
    /// It is the last byte of a user.
    case end
    /// The candidate is a document, of which nothing is kept.
    case forget
  }

  private mutating func take(_ byte: UInt8) throws(UserFileError) -> Effect {
    if isInString {
      try takeInString(byte)
      return .nothing
    }
    switch byte {
    case 0x20, 0x09, 0x0A, 0x0D: return .nothing
    case UInt8(ascii: "\""):
      if place == .outside || place == .list { throw unexpected(byte) }
      isInString = true
      string = []
      return .nothing
    case UInt8(ascii: "{"), UInt8(ascii: "["): return try open(byte)
    case UInt8(ascii: "}"), UInt8(ascii: "]"): return try close(byte)
    case UInt8(ascii: ":"):
      member = member == .name ? .nameAndColon : .other
      return .nothing
    default:
      if place == .outside || place == .list, byte != UInt8(ascii: ",") { throw unexpected(byte) }
      member = .other
      return .nothing
    }
  }

  private mutating func takeInString(_ byte: UInt8) throws(UserFileError) {
    if isEscaped {
      isEscaped = false
    } else if byte == UInt8(ascii: "\\") {
      isEscaped = true
    } else if byte == UInt8(ascii: "\"") {
      isInString = false
      member = place == .candidate && depth == outerDepth + 1 && string == listName ? .name : .other
      return
    } else if byte == UInt8(ascii: "\n") {
      throw UserFileError(line: line - 1, "a line break in a text; look for a missing closing quote")
    }
    if place == .candidate, string.count <= listName.count { string.append(byte) }
  }

  private mutating func open(_ byte: UInt8) throws(UserFileError) -> Effect {
    defer {
      depth += 1
      member = .other
    }
    let isObject = byte == UInt8(ascii: "{")
    switch place {
    case .outside where isObject, .list where isObject:
      outerDepth = place == .outside ? depth : outerDepth
      place = place == .outside ? .candidate : .user
      return .begin
    case .outside where depth == 0: return .nothing
    case .outside, .list: throw unexpected(byte)
    case .candidate where !isObject && member == .nameAndColon:
      place = .list
      return .forget
    case .candidate, .user, .rest: return .nothing
    }
  }

  private mutating func close(_ byte: UInt8) throws(UserFileError) -> Effect {
    depth -= 1
    member = .other
    switch place {
    case .candidate where depth == outerDepth:
      place = .outside
      return .end
    case .user where depth == outerDepth + 2:
      place = .list
      return .end
    case .rest where depth == outerDepth: place = .outside
    case .list where byte == UInt8(ascii: "]"): place = .rest
    case .outside where depth == 0 && byte == UInt8(ascii: "]"): break
    case .outside, .list: throw unexpected(byte)
    case .candidate, .user, .rest: break
    }
    return .nothing
  }

  private func unexpected(_ byte: UInt8) -> UserFileError {
    let shown = (0x21...0x7E).contains(byte) ? "'\(Unicode.Scalar(byte))'" : "a byte"
    return UserFileError(
      line: line, "\(shown) where a user of the format should begin; is it the right format?")
  }
}
