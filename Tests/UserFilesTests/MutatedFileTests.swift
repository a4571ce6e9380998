import Testing

@testable import UserFiles

/// Files with random faults: what is read does not depend on the pieces in which they come.
@Suite struct MutatedFileTests {
  private static let files: [(ImportFormat, String)] = [
    (
      .users(.csv),
      "line,email,name,labels\r\n1,a@b.example,\"A, \"\"B\"\"\r\n\",\"{\"\"a\"\":\"\"b\"\"}\"\n\n2,é@b.example,,\r\n"
    ),
    (
      .users(.jsonl),
      "{\"email\":\"a@b.example\",\"name\":\"\\u00e9\\n\\\"\"}\r\n\n{\"line\":\"1\",\"reason\":\"x\"}\n{\"email\":\"é\",\"labels\":{\"a\":\"b\"}}"
    ),
    (
      .keycloak,
      "{\"realm\":\"users\",\"users\":[{\"email\":\"a\",\"x\":[1,{}]},\n{\"email\":\"\\\"\"}],\"y\":{\"users\":[{}]}}"
    ),
    (.auth0, "{\"email\":\"a\",\"x\":{}}\n{\"email\":\"é\"}\n\n[1]\n"),
    (.kratos, "[{\"traits\":{\"email\":\"a\"}},\n{}]\n[{}]"),
  ]

  /// A small generator with a seed (xorshift64).
  private struct Random: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return state
    }
  }

  /// What is read of a file: its rows, and the error that ends it.
  private struct Reading: Equatable {
    var rows: [UserFileRow] = []
    var error: UserFileError?
    var header: [UInt8] = []
  }

  private static func read(_ bytes: [UInt8], _ format: ImportFormat, pieces: Int) -> Reading {
    var reading = Reading()
    var parser = UserFileParser(format)
    do throws(UserFileError) {
      var rest = bytes[...]
      while !rest.isEmpty {
        reading.rows += try parser.append(rest.prefix(pieces))
        rest = rest.dropFirst(pieces)
      }
      reading.rows += try parser.finish()
    } catch {
      reading.error = error
    }
    reading.header = parser.header
    return reading
  }

  @Test("pieces of any size give the same rows and the same error", arguments: files.indices)
  func pieces(index: Int) {
    let (format, text) = Self.files[index]
    var random = Random(state: UInt64(index) + 1)
    let alphabet = Array("\"\\{}[],:\r\n a1é".utf8) + [0, 0xFF]
    for _ in 0..<3_000 {
      var bytes = Array(text.utf8)
      for _ in 0..<Int.random(in: 0...4, using: &random) where !bytes.isEmpty {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[place] = alphabet.randomElement(using: &random) ?? 0
        case 1: bytes.insert(alphabet.randomElement(using: &random) ?? 0, at: place)
        default: bytes.remove(at: place)
        }
      }
      let whole = Self.read(bytes, format, pieces: .max)
      for pieces in [1, 2, 7] {
        let part = Self.read(bytes, format, pieces: pieces)
        #expect(part == whole, "\(bytes)")
      }
    }
  }
}
