import Foundation
import Testing
import UserFiles
import UserServiceClient

@Suite struct UserFileTests {
  private func rows(_ text: String, _ format: UserFileFormat) throws -> ([UserFileRow], [String]) {
    var parser = UserFileParser(format)
    let rows = try parser.append(Array(text.utf8))
    return (try rows + parser.finish(), parser.header)
  }

  private func problem(_ row: UserFileRow) -> String? {
    if case .failure(let problem) = row.user { problem.description } else { nil }
  }

  @Test("the columns of a CSV file may be in any order, and those of a listing do no harm")
  func csvColumns() throws {
    let (rows, _) = try rows(
      "Name, EMAIL ,id,status,created_at,password\nAda,ada@example.com,1,active,2,correct horse\nBob,bob@example.com,,,,\n",
      .csv)
    #expect(
      try rows.map { try $0.user.get() } == [
        NewUser(email: "ada@example.com", name: "Ada", password: "correct horse"),
        NewUser(email: "bob@example.com", name: "Bob"),
      ])
    #expect(rows.map(\.line) == [2, 3])
  }

  @Test(
    "a CSV file whose columns are not ours is refused as a whole",
    arguments: [
      ("", "names of the columns"), ("\n", "names of the columns"), ("name\n", "no column 'email'"),
      ("email,mail\n", "'mail' is none of email, name, password"), ("email,Email\n", "twice"),
      ("ada@example.com,Ada\n", "none of"), ("email,\"na\"me\n", "text behind"),
    ])
  func csvHeader(text: String, words: String) throws {
    let error = #expect(throws: UserFileError.self) { try rows(text, .csv) }
    #expect(error?.description.contains(words) == true, "\(String(describing: error))")
  }

  @Test("a row with too few or too many fields is rejected, and the others are read")
  func csvFields() throws {
    let (rows, _) = try rows("email,name\na@b.example\nb@b.example,B\nc@b.example,C,c\n", .csv)
    #expect(rows.map { problem($0) != nil } == [true, false, true])
    #expect(problem(rows[0]) == "1 fields where the first line has 2")
  }

  @Test(
    "a line of JSON is a user, or says what is wrong",
    arguments: [
      (#"{"email": "a@b.example"}"#, nil),
      (#"{"email": "a@b.example", "name": null, "id": 7, "line": 1}"#, nil),
      (#"  {"email": "a@b.example", "password": ""}  "#, nil), ("{", "not a JSON object"),
      ("[]", "not a JSON object"), ("\"a\"", "not a JSON object"), ("{}", "there is no email"),
      (#"{"email": 1}"#, "email is no string"), (#"{"email": null}"#, "email is no string"),
      (#"{"email": "a@b.example", "name": {}}"#, "name is no string"),
      (#"{"email": "a@b.example", "mail": ""}"#, "the key 'mail' is none of email, name, password"),
    ])
  func jsonl(text: String, words: String?) throws {
    let (rows, _) = try rows("\n" + text + "\n\n", .jsonl)
    #expect(rows.count == 1 && rows[0].line == 2)
    #expect(problem(rows[0]) == words)
    if words == nil { #expect(try rows[0].user.get() == NewUser(email: "a@b.example")) }
  }

  @Test("a line of JSON that is too long is rejected without being kept, and the next one is read")
  func longLine() throws {
    let long = #"{"email": "\#(String(repeating: "a", count: 100_000))"}"#
    let (rows, _) = try rows(long + "\n" + #"{"email": "a@b.example"}"#, .jsonl)
    #expect(problem(rows[0]) == "a line of more than 65536 bytes")
    #expect(try rows[1].user.get().email == "a@b.example")
  }

  @Test(
    "a user that would not come out as it is, is rejected",
    arguments: [
      ("email,status\na@b.example,inactive\n", UserFileFormat.csv),
      (#"{"email": "a@b.example", "status": "inactive"}"#, .jsonl),
    ])
  func inactive(text: String, format: UserFileFormat) throws {
    let (rows, _) = try rows(text, format)
    #expect(rows.map(problem) == ["users are created active, and this one is inactive"])
  }

  private static let users = [
    User(
      id: "1", email: "a@b.example", name: "", createdAt: Date(timeIntervalSince1970: 1_764_000_000.123_456)),
    User(
      id: "2", email: "o'neil@b.example", name: "comma, \"quote\"\nline/ 👩‍👩‍👧",
      createdAt: Date(timeIntervalSince1970: -0.000_001)),
  ]

  @Test("a listing can be read back", arguments: UserFileFormat.allCases)
  func roundTrip(format: UserFileFormat) throws {
    let writer = UserFileWriter(format)
    let text = writer.listingHeader + Self.users.map(writer.line).joined()
    let (rows, _) = try rows(text, format)
    #expect(
      try rows.map { try $0.user.get() } == Self.users.map { NewUser(email: $0.email, name: $0.name) })
    #expect(text.contains("2025-11-24T16:00:00.123456Z") && text.contains("1969-12-31T23:59:59.999999Z"))
  }

  @Test("rejected rows say why, and can be rejected again", arguments: UserFileFormat.allCases)
  func rejected(format: UserFileFormat) throws {
    let writer = UserFileWriter(format)
    var text =
      switch format {
      case .csv: "email,name\na@b.example,A\n\"b\",B,B\nc\n"
      case .jsonl: "{\"email\": \"a@b.example\", \"name\": \"A\"}\n{\"email\": \"b\", \"x\": 1}\nc\n"
      }
    for round in 1...2 {
      let (rows, header) = try rows(text, format)
      #expect(rows.count == 3)
      #expect(try rows[0].user.get() == NewUser(email: "a@b.example", name: "A"))
      text =
        writer.rejectedHeader(header)
        + rows.map { writer.rejected($0, header, reason: "round \(round)") }.joined()
    }
    #expect(text.contains("round 2") && !text.contains("round 1"))
  }

  @Test("the format is that of the name's ending")
  func format() {
    #expect(UserFileFormat(path: "a/b.CSV") == .csv)
    #expect(UserFileFormat(path: "users.jsonl") == .jsonl)
    #expect(UserFileFormat(path: "csv") == nil && UserFileFormat(path: "a.json") == nil)
  }
}
