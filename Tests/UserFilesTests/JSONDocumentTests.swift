import Testing
import UserServiceClient

@testable import UserFiles

/// Documents of other systems: where their users are.
@Suite struct JSONDocumentTests {
  private static func rows(
    _ text: String, _ format: ImportFormat = .keycloak, pieces: Int = .max
  ) throws -> [UserFileRow] {
    var parser = UserFileParser(format)
    var rows: [UserFileRow] = []
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      rows += try parser.append(rest.prefix(pieces))
      rest = rest.dropFirst(pieces)
    }
    return try rows + parser.finish()
  }

  private static func addresses(_ rows: [UserFileRow]) throws -> [String] {
    try rows.map { try $0.user.get().email }
  }

  private static let a = #"{"email": "a@b.example", "x": {"users": [{}], "y": "\"]}"}}"#
  private static let b = #"{"email": "b@b.example"}"#

  @Test(
    "users are found in every form of a document, in pieces of any size",
    arguments: [
      "", " \n", "[]", #"{"users": []}"#, "[\(a),\(b)]", " [ \(a) , \(b) ] \n", #"{"users":[\#(a),\#(b)]}"#,
      #"{"realm": "users", "users" : [ \#(a), \#(b) ], "clients": [{"users": 1}, []], "x": "users"}"#,
      #"{"x": {"users": [1]}, "y": ["users", "[", "\\"], "users":\#n[\#(a)\#n,\#(b)]}"#,
      #"[{"realm": "1", "users": [\#(a)]}, {"realm": "2", "users": [\#(b)]}]"#,
      "\(a)\n\(b)\n", "\(a)\r\n\r\n\(b)", "[\(a)]\n[\(b)]\n", "\(a) \n \(b)", "\u{FEFF}[\(a),\n\(b)]",
      "{\n\"email\": \"a@b.example\"\n}\n{\n\"email\":\n\"b@b.example\"}",
    ], [1, 2, 5, .max])
  func forms(text: String, pieces: Int) throws {
    let addresses = try Self.addresses(Self.rows(text, pieces: pieces))
    #expect(addresses == (text.contains("a@b") ? ["a@b.example", "b@b.example"] : []))
  }

  @Test("each format has the name of its list of users")
  func listNames() throws {
    let identity = #"{"traits": {"email": "a@b.example"}}"#
    #expect(try Self.addresses(Self.rows(#"{"identities": [\#(identity)]}"#, .kratos)) == ["a@b.example"])
    #expect(try Self.addresses(Self.rows(#"{"users": [\#(Self.b)]}"#, .firebase(nil))) == ["b@b.example"])
    #expect(try Self.addresses(Self.rows(#"{"start": 0, "users": [\#(Self.b)]}"#, .auth0)) == ["b@b.example"])
  }

  @Test("a row has the line where its user begins")
  func lines() throws {
    #expect(try Self.rows("[\n\(Self.a),\n\n  {\n\"email\": \"b@b.example\"}]").map(\.line) == [2, 4])
    #expect(try Self.rows("\n\(Self.a)\n\n\(Self.b)").map(\.line) == [2, 4])
  }

  @Test("a user that is not valid JSON is rejected, and the next one is read")
  func invalidUsers() throws {
    let rows = try Self.rows(#"{"users": [{"email": 01}, {"email" "x"}, {"a": [}], \#(Self.b)]}"#)
    #expect(rows.count == 4)
    #expect(rows.map { if case .failure = $0.user { true } else { false } } == [true, true, true, false])
  }

  @Test("in lines, everything that is not a user is rejected by itself")
  func invalidLines() throws {
    let rows = try Self.rows("\(Self.a)\nnonsense\n{\"email\": \"\n[1]\n\(Self.b)\n{", pieces: 3)
    #expect(rows.map(\.line) == [1, 2, 3, 4, 5, 6])
    #expect(
      rows.map { if case .success = $0.user { true } else { false } } == [
        true, false, false, false, true, false,
      ])
  }

  @Test(
    "the rest of a broken document cannot be read",
    arguments: [
      ("[\(a),", "line 1: the file ends within"), ("{\"users\": [\n\(a)]", "line 2: the file ends within"),
      ("[\(a)\n, 5]", "line 2: '5' where a user"), ("[\"x\"]", "line 1: '\"' where"),
      ("[[\(a)]]", "line 1: '['"),
      ("id,email\n", "line 1: 'i' where"), ("[\n{\"email\": \"a\n\"}]", "line 2: a line break in a text"),
      ("}", "line 1: '}'"), ("]", "line 1: ']'"), ("{\"users\": [}", "line 1: '}'"), ("[}", "line 1: '}'"),
      ("é", "line 1: a byte where"),
    ])
  func broken(text: String, words: String) throws {
    for pieces in [1, .max] {
      let error = #expect(throws: UserFileError.self) { try Self.rows(text, pieces: pieces) }
      #expect(error?.description.hasPrefix(words) == true, "\(String(describing: error))")
    }
  }

  @Test("the users before a broken place are returned")
  func usersBefore() throws {
    var parser = UserFileParser(.keycloak)
    #expect(try parser.append("[\(Self.a),".utf8).count == 1)
    #expect(throws: UserFileError.self) { try parser.finish() }
    parser = UserFileParser(.keycloak)
    #expect(try parser.append("[\(Self.a),\(Self.b),5,\(Self.b)".utf8).count == 2)
    #expect(throws: UserFileError.self) { try parser.append("]".utf8) }
    #expect(throws: UserFileError.self) { try parser.finish() }
  }

  @Test("a user that is too large, or nested too deeply, is rejected without being buffered")
  func largeUsers() throws {
    let large = #"{"email": "\#(String(repeating: "a", count: 3 << 20))"}"#
    let deep =
      #"{"email": \#(String(repeating: "[", count: 100_000))\#(String(repeating: "]", count: 100_000))}"#
    let rows = try Self.rows("[\(large),\(deep),\(Self.b)]", pieces: 65_536)
    #expect(rows.count == 3 && rows[0].original.count == 1 << 20 + 1)
    #expect(rows[0].user == .failure(.init("the user exceeds 1048576 bytes")))
    #expect(rows[1].user == .failure(.init("nested deeper than 64 levels")))
    #expect(try rows[2].user.get().email == "b@b.example")
  }

  @Test("a realm of any size precedes its users")
  func largeDocument() throws {
    let clients = String(repeating: #"{"secret": "x", "y": [1, 2]},"#, count: 100_000)
    let rows = try Self.rows(#"{"clients": [\#(clients) {}], "users": [\#(Self.b)]}"#, pieces: 65_536)
    #expect(try Self.addresses(rows) == ["b@b.example"])
  }

  @Test("rejected users are one on each line, and are read back")
  func rejected() throws {
    let writer = UserFileWriter(ImportFormat.keycloak.rejectedFormat)
    var text = "[{\r\n\"id\": \"1\" },\n{\"firstName\":\"\\n\"}]"
    for _ in 0..<2 {
      let rows = try Self.rows(text)
      #expect(rows.map { $0.user } == .init(repeating: .failure(.missingAddress), count: 2))
      text = rows.map { String(decoding: writer.rejected($0, reason: "a \"reason\""), as: UTF8.self) }
        .joined()
    }
    #expect(
      text == """
        {"line":"2","reason":"a \\"reason\\""}
        {  "id": "1" }
        {"line":"4","reason":"a \\"reason\\""}
        {"firstName":"\\n"}

        """)
    #expect(
      try Self.addresses(
        Self.rows(text.replacing("\"id\"", with: "\"email\"").replacing("firstName", with: "email"))) == [
          "1", "\n",
        ])
  }
}
