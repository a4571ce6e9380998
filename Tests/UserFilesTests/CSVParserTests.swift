import Testing
import UserFiles

@Suite struct CSVParserTests {
  /// Returns the records of `text`, parsed in pieces of this many bytes.
  private func records(_ text: String, pieces: Int = .max) throws -> [CSVParser.Record] {
    try records(Array(text.utf8), pieces: pieces)
  }

  private func records(_ bytes: [UInt8], pieces: Int = .max) throws -> [CSVParser.Record] {
    var parser = CSVParser()
    var records: [CSVParser.Record] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      records += try parser.append(rest.prefix(pieces))
      rest = rest.dropFirst(pieces)
    }
    return try records + (parser.finish().map { [$0] } ?? [])
  }

  @Test(
    "records follow RFC 4180, in pieces of any size",
    arguments: [
      ("", []), ("a", [["a"]]), ("a,b\r\nc,d\r\n", [["a", "b"], ["c", "d"]]), ("a\nb", [["a"], ["b"]]),
      (",\n", [["", ""]]), ("\"\"\n", [[""]]), ("a,\n", [["a", ""]]), ("a,\"\"", [["a", ""]]),
      ("\"a,b\",\"c\"\"d\"\n", [["a,b", "c\"d"]]), ("\"a\nb\r\nc\",d\n", [["a\nb\r\nc", "d"]]),
      ("\n\na\n\r\n\nb\n\n", [["a"], ["b"]]),
      ("é,👩‍👩‍👧\n", [["é", "👩‍👩‍👧"]]), ("\"\"\"\"", [["\""]]), (" a , b ", [[" a ", " b "]]),
      ("\"a\r\"\n\"b\r\"\r\nc\r", [["a\r"], ["b\r"], ["c"]]), ("a\rb,c\r\n", [["a\rb", "c"]]),
      ("\"a\"\r\n", [["a"]]), ("a,\u{FEFF}b", [["a", "\u{FEFF}b"]]),
    ], [1, 2, 3, .max])
  func good(example: (text: String, fields: [[String]]), pieces: Int) throws {
    let records = try records(example.text, pieces: pieces)
    #expect(records.map(\.fields) == example.fields)
    #expect(records.allSatisfy { $0.problem == nil })
    // Every record has its bytes; only empty lines are skipped.
    let kept = Array(example.text.utf8).split(separator: UInt8(ascii: "\n")).filter {
      $0 != [UInt8(ascii: "\r")]
    }
    let lines = Array(records.flatMap(\.raw)).split(separator: UInt8(ascii: "\n"))
    #expect(lines.filter { $0 != [UInt8(ascii: "\r")] } == kept)
  }

  @Test("a record has the number of its first line")
  func lines() throws {
    #expect(try records("a\n\n\"b\nc\"\nd").map(\.line) == [1, 3, 5])
  }

  @Test(
    "an invalid record is reported, and the next one is complete",
    arguments: [
      ("a\"b\nc", "a quote in"), ("\"a\"b\nc", "text after"), ("\"a\" ,b\nc", "text after"),
      ("\"a\"\rb\nc", "text after"),
    ])
  func broken(text: String, words: String) throws {
    let records = try records(text)
    #expect(records.count == 2)
    #expect(records[0].problem?.contains(words) == true)
    #expect(records[1].fields == ["c"] && records[1].problem == nil)
  }

  @Test("bytes that are not UTF-8 invalidate only their record")
  func notUTF8() throws {
    let records = try records([0x61, 0xFF, 0x0A, 0x62])
    #expect(
      records[0].problem?.contains("byte FF is not UTF-8") == true && records[0].raw == [0x61, 0xFF, 0x0A])
    #expect(records[1].fields == ["b"] && records[1].problem == nil)
  }

  @Test("a missing closing quote ends the file, at the longest record or at the end")
  func unclosed() throws {
    #expect(throws: UserFileError.self) { try records("a\nb,\"c\nd\n") }
    let long = "x\n\"" + String(repeating: "a\n", count: CSVParser.maximumLength)
    let error = #expect(throws: UserFileError.self) { try records(long, pieces: 1_000) }
    #expect(error?.description == "line 2: a record exceeds 65536 bytes; look for a missing closing quote")
    let longest = String(repeating: "a", count: CSVParser.maximumLength)
    #expect(try records(longest + "\n" + longest + "\n").map(\.fields) == [[longest], [longest]])
    // A long record does not enlarge the buffers of later records.
    #expect(try records(longest + "\nab\n")[1].raw.capacity < 100)
  }
}
