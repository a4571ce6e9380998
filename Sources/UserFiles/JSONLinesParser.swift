import Foundation
import UserServiceClient

/// Parses one user from each line of JSON.
struct JSONLinesParser: RowParser {
  private let users: JSONUsers
  private var line: Int
  /// The bytes of the current line that earlier chunks had; one byte more than the limit marks a line that is too long.
  private var carried: [UInt8] = []

  let header: [UInt8] = []

  /// - Parameter line: the number of the first line.
  init(_ format: ImportFormat, line: Int = 1) {
    users = JSONUsers(format)
    self.line = line
  }

  mutating func append(
    _ bytes: UnsafeBufferPointer<UInt8>, to rows: inout [UserFileRow]
  ) throws(UserFileError) {
    var rest = bytes[...]
    while let base = UnsafeBufferPointer(rebasing: rest).baseAddress,
      let found = memchr(base, Int32(UInt8(ascii: "\n")), rest.count)
    {
      let length = UnsafeRawPointer(found) - UnsafeRawPointer(base)
      if let row = endLine(rest.prefix(length)) { rows.append(row) }
      rest = rest.dropFirst(length + 1)
    }
    carry(rest)
  }

  mutating func finish() throws(UserFileError) -> [UserFileRow] {
    endLine(UnsafeBufferPointer(start: nil, count: 0)[...]).map { [$0] } ?? []
  }

  private mutating func carry(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) {
    carried += bytes.prefix(max(users.maximumLength + 1 - carried.count, 0))
  }

  /// Returns the row of the line that ends with these bytes; nil for an empty line and a note.
  private mutating func endLine(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> UserFileRow? {
    defer { line += 1 }
    if carried.isEmpty { return users.row(UnsafeBufferPointer(rebasing: bytes), line: line) }
    carry(bytes)
    // The row owns its bytes: keeping this buffer's capacity does not make rows larger.
    defer { carried.removeAll(keepingCapacity: carried.capacity <= 4_096) }
    return carried.withUnsafeBufferPointer { users.row($0, line: line) }
  }
}
