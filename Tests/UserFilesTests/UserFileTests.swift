import Foundation
import Testing
import UserFiles
import UserServiceClient

@Suite struct UserFileTests {
  private func rows(_ text: String, _ format: UserFileFormat) throws -> ([UserFileRow], [UInt8]) {
    try rows(Array(text.utf8), format)
  }

  /// Returns the rows and the header of a file, parsed in pieces of this many bytes.
  private func rows(
    _ bytes: [UInt8], _ format: UserFileFormat, pieces: Int = .max
  ) throws -> ([UserFileRow], [UInt8]) {
    var parser = UserFileParser(.users(format))
    var rows: [UserFileRow] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      rows += try parser.append(rest.prefix(pieces))
      rest = rest.dropFirst(pieces)
    }
    return (try rows + parser.finish(), parser.header)
  }

  private static let wideText: [UInt8] = Array("email\na@b.example\n".utf16).flatMap { [UInt8($0), 0] }

  @Test(
    "UTF-16 and UTF-32 are recognised, with a byte order mark or without, in both formats",
    arguments: [
      [0xFF, 0xFE] + wideText, [0xFE, 0xFF, 0] + wideText, wideText, [0] + wideText, [0xFF, 0xFE], [0x7B, 0],
      [0, 0, 0xFE, 0xFF], [0xFF, 0xFE, 0, 0, 0x7B, 0, 0, 0],
    ] as [[UInt8]], UserFileFormat.allCases)
  func wideEncodings(bytes: [UInt8], format: UserFileFormat) throws {
    for pieces in [1, .max] {
      let error = #expect(throws: UserFileError.self) { try rows(bytes, format, pieces: pieces) }
      #expect(error?.description == "line 1: the file is UTF-16 or UTF-32; save it as UTF-8")
    }
  }

  @Test(
    "a byte order mark is skipped",
    arguments: [
      ("\u{FEFF}email\na@b.example\n", UserFileFormat.csv), ("\u{FEFF}\"email\"\n\na@b.example\n", .csv),
      ("\u{FEFF}{\"email\": \"a@b.example\"}\n", .jsonl),
    ], [1, 2, .max])
  func byteOrderMark(example: (text: String, format: UserFileFormat), pieces: Int) throws {
    let (rows, header) = try rows(Array(example.text.utf8), example.format, pieces: pieces)
    #expect(try rows.map { try $0.user.get().email } == ["a@b.example"])
    #expect(header.first != 0xEF)
  }

  @Test("a line of JSON in another encoding is rejected, and the next one is read")
  func jsonEncoding() throws {
    let line = Array(#"{"email": "a@b.example"}"#.utf8)
    let bytes =
      line + [0x0A] + Array(#"{"email": "j"#.utf8) + [0xFC] + Array(#"rgen@b.example"}"#.utf8) + [0x0A]
      + line.flatMap { [$0, 0] } + [0x0A] + line
    let (rows, _) = try rows(bytes, .jsonl)
    #expect(rows.map { problem($0) == nil } == [true, false, false, true])
    #expect(problem(rows[1])?.contains("byte FC is not UTF-8") == true)
    #expect(problem(rows[2])?.contains("NUL") == true)
  }

  @Test(
    "a listing for spreadsheets has no formulas, and cannot be imported",
    arguments: ["=1+1", "+1", "-1", "@a", "\ta", "＝1"])
  func spreadsheets(name: String) throws {
    let user = User(id: "1", email: "+a@b.example", name: name, createdAt: Date(timeIntervalSince1970: 0))
    func listing(_ writer: UserFileWriter) -> String { writer.listingHeader + writer.line(user) }
    let text = listing(UserFileWriter(.csv, isForSpreadsheets: true))
    #expect(text.contains("1,'+a@b.example,'\(name),"))
    #expect(problem(try rows(text, .csv).0[0])?.contains("--raw") == true)
    let raw = listing(UserFileWriter(.csv))
    let imported = ImportedUser(
      id: "1", email: "+a@b.example", name: name, createdAt: user.createdAt, updatedAt: user.createdAt)
    #expect(try rows(raw, .csv).0[0].user.get() == imported)
    let json = listing(UserFileWriter(.jsonl, isForSpreadsheets: true))
    #expect(try rows(json, .jsonl).0[0].user.get() == imported)
    #expect(try rows("email,name\na@b.example,'\(name)\n", .csv).0[0].user.get().name == "'\(name)")
  }

  private func problem(_ row: UserFileRow) -> String? {
    if case .failure(let problem) = row.user { problem.description } else { nil }
  }

  @Test("the columns of a CSV file may be in any order, and those of a listing are accepted")
  func csvColumns() throws {
    let (rows, _) = try rows(
      """
      Name, EMAIL ,id,status,created_at,password
      Ada,ada@example.com,1,inactive,1970-01-01T01:00:02+01:00,correct horse
      Bob,bob@example.com,,,,

      """,
      .csv)
    #expect(
      try rows.map { try $0.user.get() } == [
        ImportedUser(
          id: "1", email: "ada@example.com", name: "Ada", status: .inactive,
          createdAt: Date(timeIntervalSince1970: 2), password: "correct horse"),
        ImportedUser(email: "bob@example.com", name: "Bob"),
      ])
    #expect(rows.map(\.line) == [2, 3])
  }

  @Test(
    "a CSV file with unknown columns is refused as a whole",
    arguments: [
      ("", "column names is missing"), ("\n", "column names is missing"), ("name\n", "'email' is missing"),
      ("email,mail\n", "'mail' is not one of id, email, name, status, created_at,"),
      ("email,Email\n", "twice"),
      ("ada@example.com,Ada\n", "not one of"), ("email,\"na\"me\n", "text after"),
    ])
  func csvHeader(text: String, words: String) throws {
    let error = #expect(throws: UserFileError.self) { try rows(text, .csv) }
    #expect(error?.description.contains(words) == true, "\(String(describing: error))")
  }

  @Test("a row with too few or too many fields is rejected, and the others are read")
  func csvFields() throws {
    let (rows, _) = try rows("email,name\na@b.example\nb@b.example,B\nc@b.example,C,c\n", .csv)
    #expect(rows.map { problem($0) != nil } == [true, false, true])
    #expect(problem(rows[0]) == "1 fields, but the first line has 2")
  }

  private static let columns = UserFileTests.columnNames.joined(separator: ", ")
  private static let columnNames = [
    "id", "email", "name", "status", "created_at", "updated_at", "deleted_at", "purge_at", "labels",
    "password_hash", "password",
  ]

  @Test(
    "a line of JSON is a user, or is rejected with the reason",
    arguments: [
      (#"{"email": "a@b.example"}"#, nil),
      (#"{"email": "a@b.example", "name": null, "labels": null, "line": 1}"#, nil),
      (#"{"email": "a@b.example", "status": "active", "created_at": "", "labels": {}}"#, nil),
      (#"  {"email": "a@b.example", "password": ""}  "#, nil), ("{", "not a JSON object"),
      (#"{"email": "a@b.example"} {}"#, "not a JSON object"),
      (#"{"email": "a@b.example",}"#, "not a JSON object"),
      ("[]", "not a JSON object"), ("\"a\"", "not a JSON object"), ("{}", "email is missing"),
      (#"{"email": 1}"#, "email is not a string"), (#"{"email": null}"#, "email is not a string"),
      (#"{"email": "a@b.example", "id": 7}"#, "id is not a string"),
      (#"{"email": "a@b.example", "name": {}}"#, "name is not a string"),
      (#"{"email": "a@b.example", "email": "b@b.example"}"#, "the key 'email' appears twice"),
      (#"{"email": "a@b.example", "labels": "x"}"#, "labels is not a JSON object"),
      (#"{"email": "a@b.example", "labels": {"a": 1}}"#, "the label 'a' is not a string"),
      (#"{"email": "a@b.example", "labels": {"a": "", "a": ""}}"#, "the label 'a' appears twice"),
      (#"{"email": "a@b.example", "status": "gone"}"#, "status 'gone' is neither active nor inactive"),
      (
        #"{"email": "a@b.example", "purge_at": "tomorrow"}"#,
        "purge_at is not a time such as 2026-01-31T00:00:00Z"
      ),
      (#"{"email": "a@b.example", "mail": ""}"#, "the key 'mail' is not one of \(columns)"),
      (#"{"a": "# + String(repeating: "[", count: 64), "nested deeper than 64 levels"),
      (#"{"a": "# + String(repeating: "[", count: 60_000), "nested deeper than 64 levels"),
    ])
  func jsonl(text: String, words: String?) throws {
    let (rows, _) = try rows("\n" + text + "\n\n", .jsonl)
    #expect(rows.count == 1 && rows[0].line == 2)
    #expect(problem(rows[0]) == words)
    if words == nil { #expect(try rows[0].user.get() == ImportedUser(email: "a@b.example")) }
  }

  @Test("a line of JSON that is too long is rejected without being buffered, and the next one is read")
  func longLine() throws {
    let long = #"{"email": "\#(String(repeating: "a", count: 100_000))"}"#
    let (rows, _) = try rows(long + "\n" + #"{"email": "a@b.example"}"#, .jsonl)
    #expect(problem(rows[0]) == "the line exceeds 65536 bytes")
    #expect(try rows[1].user.get().email == "a@b.example")
  }

  private static let users = [
    User(
      id: "1", email: "a@b.example", name: "", createdAt: Date(timeIntervalSince1970: 1_764_000_000.123_456)),
    User(
      id: "2", email: "o'neil@b.example", name: "comma, \"quote\"\nline/ 👩‍👩‍👧",
      createdAt: Date(timeIntervalSince1970: -0.000_001)),
    User(
      id: "3", email: "c@b.example", name: "", status: .inactive, createdAt: Date(timeIntervalSince1970: 0),
      updatedAt: Date(timeIntervalSince1970: 1), deletedAt: Date(timeIntervalSince1970: 2),
      purgeAt: Date(timeIntervalSince1970: 3), etag: "\"x\"", labels: ["tenant": "a, \"b\"", "team": "c"]),
  ]

  @Test("a listing can be read back", arguments: UserFileFormat.allCases)
  func roundTrip(format: UserFileFormat) throws {
    let writer = UserFileWriter(format)
    let text = writer.listingHeader + Self.users.map(writer.line).joined()
    let (rows, _) = try rows(text, format)
    #expect(
      try rows.map { try $0.user.get() }
        == Self.users.map {
          ImportedUser(
            id: $0.id, email: $0.email, name: $0.name, status: $0.status, createdAt: $0.createdAt,
            updatedAt: $0.updatedAt, deletedAt: $0.deletedAt, purgeAt: $0.purgeAt, labels: $0.labels)
        })
    #expect(text.contains("2025-11-24T16:00:00.123456Z") && text.contains("1969-12-31T23:59:59.999999Z"))
  }

  private static let exported = [
    ImportedUser(email: "a@b.example"),
    ImportedUser(
      id: "0190163d-8694-739b-aea5-966c26f8ad91", email: "'=a@b.example", name: "'=1+1", status: .inactive,
      createdAt: Date(timeIntervalSince1970: 1_764_000_000.123_456),
      updatedAt: Date(timeIntervalSince1970: 1_764_000_001), deletedAt: Date(timeIntervalSince1970: 2e9),
      purgeAt: Date(timeIntervalSince1970: 3e9 + 0.000_001),
      labels: ["tenant": "a, \"b\"", "x": "\\ \u{1} \t é"],
      passwordHash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"),
  ]

  @Test(
    "an export is read back equal, in pieces of any size", arguments: UserFileFormat.allCases, [1, 7, .max])
  func export(format: UserFileFormat, pieces: Int) throws {
    let writer = UserFileWriter(format)
    var text = writer.exportHeader
    for user in Self.exported { writer.append(user, to: &text) }
    let (rows, _) = try rows(Array(text.utf8), format, pieces: pieces)
    #expect(try rows.map { try $0.user.get() } == Self.exported)
    #expect(text.contains("2025-11-24T16:00:00.123456Z"))
  }

  private static let broken: [(UserFileFormat, [UInt8])] = [
    (.csv, Array("email,name\r\na@b.example,A\r\n\"b\",B,B\r\nc".utf8)),
    (.csv, Array("email,name\nj@b.example,J".utf8) + [0xFC] + Array("rgen\n\"a@b\".example,A\n".utf8)),
    (.csv, Array("name, email ,line,reason\nA,\"a@b\"x.example,7,\"old, reason\"\nB,b\"b,7\n\"C\"\n".utf8)),
    (.csv, Array("line,reason,email\n4,\"old \"\"words\"\"\",\"a\"b@c.example\n4,x\"y,\"a\nb\"c\n".utf8)),
    (
      .jsonl,
      Array("{\"email\": \"b\", \"x\": 1.0, \"x\":1e400}\r\nc\n{\"email\" :\"\\u0041\", \"y\":{} }".utf8)
    ),
    (
      .jsonl,
      Array("{\"email\": \"j".utf8) + [0xFC] + Array("rgen\"}\n{\"line\": 1, \"reason\": \"\"}\n".utf8)
    ),
  ]

  @Test(
    "a rejected row keeps its bytes, and is rejected again, however often", arguments: broken.indices
  )
  func rejected(index: Int) throws {
    let (format, file) = Self.broken[index]
    let writer = UserFileWriter(format)
    var bytes = file
    var problems: [[String?]] = []
    var files: [[UInt8]] = []
    for _ in 1...3 {
      let (rows, header) = try rows(bytes, format)
      problems.append(rows.map(problem))
      bytes = writer.rejectedHeader(header)
      for row in rows { bytes += writer.rejected(row, reason: "a \"reason\", with\ntwo lines") }
      files.append(bytes)
    }
    #expect(problems[1] == problems[2])
    // A row whose only problem is its number of fields reports another number.
    #expect(
      problems[0].map { $0 == nil } == problems[1].map { $0 == nil } && problems[0].contains { $0 != nil })
    // The file neither grows nor loses rows.
    #expect(files[2].count == files[1].count)
    let lines = file.split(separator: UInt8(ascii: "\n")).dropFirst(format == .csv ? 1 : 0)
    let isOwn = String(decoding: file, as: UTF8.self).contains("reason")
    if format == .jsonl || !isOwn {
      for line in lines { #expect(files[1].firstRange(of: line) != nil) }
    }
    #expect(String(decoding: files[2], as: UTF8.self).contains("old") == false)
  }

  @Test("a file of rejected rows has lines and reasons, and can be corrected")
  func corrected() throws {
    let (rows, header) = try rows("email,name\n\"ada\"@b.example,Ada\n", .csv)
    let writer = UserFileWriter(.csv)
    let bytes = writer.rejectedHeader(header) + writer.rejected(rows[0], reason: problem(rows[0]) ?? "")
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(text == "line,reason,email,name\n2,text after a quoted field,\"ada\"@b.example,Ada\n")
    let corrected = text.replacing("\"ada\"@", with: "ada@")
    #expect(
      try self.rows(corrected, .csv).0.map { try $0.user.get() } == [
        ImportedUser(email: "ada@b.example", name: "Ada")
      ])
  }

  @Test("a note in JSON Lines is skipped, but nothing that resembles a user")
  func notes() throws {
    let text = """
      {"line":"3","reason":"not a JSON object"}
      nonsense
      {"line":"4","reason":"x","email":"a@b.example"}
      {"line":4,"reason":"x"}

      """
    let (rows, _) = try rows(text, .jsonl)
    #expect(rows.map(problem) == ["not a JSON object", nil, "email is missing"])
  }

  @Test("the format follows from the extension")
  func format() {
    #expect(UserFileFormat(path: "a/b.CSV") == .csv)
    #expect(UserFileFormat(path: "users.jsonl") == .jsonl)
    #expect(UserFileFormat(path: "csv") == nil && UserFileFormat(path: "a.json") == nil)
  }
}
