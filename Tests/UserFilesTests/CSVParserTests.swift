import Testing
import UserFiles

@Suite struct CSVParserTests {
  /// The records of `text`, which comes in pieces of so many bytes.
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
    "records are what RFC 4180 says, in whatever pieces they come",
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
    // Every record has its bytes; only empty lines are left out.
    let kept = Array(example.text.utf8).split(separator: UInt8(ascii: "\n")).filter {
      $0 != [UInt8(ascii: "\r")]
    }
    let lines = Array(records.flatMap(\.raw)).split(separator: UInt8(ascii: "\n"))
    #expect(lines.filter { $0 != [UInt8(ascii: "\r")] } == kept)
  }

  @Test("a record knows the line that it begins on")
  func lines() throws {
    #expect(try records("a\n\n\"b\nc\"\nd").map(\.line) == [1, 3, 5])
  }

  @Test(
    "a broken record is one, and the next is whole",
    arguments: [
      ("a\"b\nc", "a quote within"), ("\"a\"b\nc", "text behind"), ("\"a\" ,b\nc", "text behind"),
      ("\"a\"\rb\nc", "text behind"),
    ])
  func broken(text: String, words: String) throws {
    let records = try records(text)
    #expect(records.count == 2)
    #expect(records[0].problem?.contains(words) == true)
    #expect(records[1].fields == ["c"] && records[1].problem == nil)
  }

  @Test("bytes that are no UTF-8 spoil their record only")
  func notUTF8() throws {
    let records = try records([0x61, 0xFF, 0x0A, 0x62])
    #expect(
      records[0].problem?.contains("byte FF is not UTF-8") == true && records[0].raw == [0x61, 0xFF, 0x0A])
    #expect(records[1].fields == ["b"] && records[1].problem == nil)
  }

  @Test("a quote that is not closed ends the file, soon or at its end")
  func unclosed() throws {
    #expect(throws: UserFileError.self) { try records("a\nb,\"c\nd\n") }
    let long = "x\n\"" + String(repeating: "a\n", count: CSVParser.maximumLength)
    let error = #expect(throws: UserFileError.self) { try records(long, pieces: 1_000) }
    #expect(error?.description == "line 2: a record of more than 65536 bytes: is a quote not closed?")
    let longest = String(repeating: "a", count: CSVParser.maximumLength)
    #expect(try records(longest + "\n" + longest + "\n").map(\.fields) == [[longest], [longest]])
    // A long record does not make those behind it large.
    #expect(try records(longest + "\nab\n")[1].raw.capacity < 100)
  }
}
