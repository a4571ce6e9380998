import Foundation
import GRPCCore
import SwiftProtobuf
import TestSupport
import Testing
import UserProtos

/// The commands `users import` and `users export`, with a service that keeps the contract.
@Suite(.timeLimit(.minutes(5))) struct ImportCommandTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  private func environment(_ port: Int) -> [String: String] {
    [
      "USER_SERVICE_ADDRESS": "127.0.0.1:\(port)", "USER_SERVICE_TOKEN": "token",
      "XDG_CONFIG_HOME": directory.path("home"),
    ]
  }

  private func run(_ port: Int, _ arguments: [String]) async throws -> Program.Outcome {
    try await Program.run("user-service", ["users"] + arguments, environment: environment(port))
  }

  private func write(_ name: String, _ text: String) throws -> String {
    let path = directory.path(name)
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return path
  }

  private func text(_ path: String) throws -> String {
    try String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8)
  }

  private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  private func files() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory.url.path)
  }

  private func mode(_ path: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
  }

  @Test("rejected rows are in the order of the file, whether the parser or the service refuses them")
  func rejectedOrder() async throws {
    let service = ImportContract()
    try await withServer(service) { port in
      let file = try write(
        "users.csv",
        "email,status\na@x.example,\nb@x.example,gone\nbad1,\nc@x.example,gone\nA\nd@x.example,\na@x.example,\n"
      )
      let already = directory.path("already.csv")
      let outcome = try await run(port, ["import", file, "--already", already])
      #expect(outcome.status == 1 && outcome.output == "2 imported, 1 already stored, 4 rejected\n")
      let rejected = directory.path("users.rejected.csv")
      #expect(
        try text(rejected) == """
          line,reason,email,status
          3,status 'gone' is neither active nor inactive,b@x.example,gone
          4,the address is already registered,bad1,
          5,status 'gone' is neither active nor inactive,c@x.example,gone
          6,"1 fields, but the first line has 2",A

          """)
      #expect(try text(already) == "line,reason,email,status\n8,the user is already stored,a@x.example,\n")
      #expect(try mode(rejected) == 0o600)
      #expect(!exists(file + ".progress"))
    }
  }

  @Test("any number of rows may be rejected while the service works on an earlier one")
  func manyRejected() async throws {
    let service = ImportContract([.paced(rows: 1, pause: .seconds(1))])
    try await withServer(service) { port in
      let bad = String(repeating: "b@x.example,gone\n", count: 40_000)
      let file = try write("users.csv", "email,status\na@x.example,\nb@x.example,\n\(bad)c@x.example,\n")
      let outcome = try await run(port, ["import", file])
      #expect(outcome.output == "3 imported, 0 already stored, 40,000 rejected\n")
      let rejected = try text(directory.path("users.rejected.csv"))
      #expect(rejected.split(separator: "\n").count == 40_001 && rejected.contains("\n40003,"))
    }
  }

  @Test("an export that cannot be written leaves no file")
  func failedExport() async throws {
    try await withServer(ImportContract()) { port in
      let missing = try await run(port, ["export", "--file", directory.path("missing/users.csv")])
      #expect(missing.status == 1)
      #expect(missing.errors.hasSuffix("missing/users.csv cannot be written: no such file\n"))
    }
    // No service has this port.
    #expect(try await run(1, ["export", "--file", directory.path("users.csv")]).status == 1)
    #expect(try files().allSatisfy { !$0.contains("csv") })
  }

  @Test("a dry run stores nothing, and finds duplicates in the file")
  func dryRun() async throws {
    let service = ImportContract()
    try await withServer(service) { port in
      let id = "0190163d-8694-739b-aea5-966c26f8ad91"
      let file = try write(
        "users.jsonl",
        """
        {"email": "ada@x.example", "id": "\(id)"}
        {"email": "ADA@x.example"}
        {"email": "b@x.example", "id": "\(id.uppercased())"}
        {"email": "bad"}
        {"email": "c@x.example"}
        """)
      let outcome = try await run(port, ["import", file, "--dry-run"])
      #expect(outcome.status == 1 && outcome.output == "2 can be imported, 0 already stored, 3 rejected\n")
      let rejected = try text(directory.path("users.rejected.jsonl"))
      #expect(rejected.contains(#"{"line":"2","reason":"the address is also on line 1"}"#))
      #expect(rejected.contains(#"{"line":"3","reason":"the id is also on line 1"}"#))
      #expect(service.stored.isEmpty && !exists(file + ".progress"))
    }
  }

  @Test("an import that is killed continues without sending again what it has recorded")
  func killed() async throws {
    let service = ImportContract([.paced(rows: 50, pause: .milliseconds(50))])
    try await withServer(service) { port in
      let rows = (0..<5_000).map { $0 % 100 == 99 ? "bad\($0),\n" : "user\($0)@x.example,\n" }
      let file = try write("users.csv", "email,name\n" + rows.joined())
      let (progress, rejected) = (file + ".progress", directory.path("users.rejected.csv"))
      let process = try ChildProcess(
        "user-service", ["users", "import", file], environment: environment(port))
      struct Progress: Decodable { let rows: Int }
      try await eventually("rows are recorded") {
        guard let data = FileManager.default.contents(atPath: progress) else { return false }
        return try JSONDecoder().decode(Progress.self, from: data).rows > 200
      }
      process.signal(SIGKILL)
      _ = await process.waitUntilExit()
      #expect(try mode(progress) == 0o600)
      let recorded = try JSONDecoder().decode(
        Progress.self, from: Data(contentsOf: URL(fileURLWithPath: progress))
      ).rows
      let outcome = try await run(port, ["import", file])
      #expect(service.lastCallRows == 5_000 - recorded)
      #expect(outcome.status == 1 && outcome.errors.contains("Continuing after "))
      #expect(service.stored.count == 4_950)
      let numbers = outcome.output.replacing(",", with: "").split(separator: " ").compactMap { Int($0) }
      #expect(numbers.count == 3 && numbers[0] + numbers[1] == 4_950 && numbers[2] == 50, "\(outcome.output)")
      // Only rows that were rejected after the last record may be there twice.
      let lines = try text(rejected).split(separator: "\n").dropFirst().compactMap {
        Int($0.prefix { $0 != "," })
      }
      #expect(Set(lines) == Set(stride(from: 101, through: 5_001, by: 100)))
      #expect(!exists(progress))
    }
  }

  @Test("a record of another file, another service or another form is ignored, and so is any on request")
  func otherRecords() async throws {
    let service = ImportContract([.failed(.permissionDenied, afterRows: 2)])
    try await withServer(service) { port in
      let file = try write("users.csv", "email\na@x.example\nb@x.example\nc@x.example\n")
      let progress = file + ".progress"
      let stopped = try await run(port, ["import", file])
      #expect(
        stopped.status == 4
          && stopped.errors.hasPrefix("Stopped after 2 imported, 0 already stored, 0 rejected.\n"))
      let record = try text(progress)
      for text in [
        "nonsense", "{}", record.replacing("\"version\":1", with: "\"version\":2"),
        record.replacing(":\(port)", with: ":1"),
      ] {
        _ = try write("users.csv.progress", text)
        #expect(try await run(port, ["import", file]).errors == "")
        #expect(!exists(progress))
      }
      _ = try write("users.csv.progress", record)
      #expect(try await run(port, ["import", file, "--from-start"]).errors == "")
      _ = try write("users.csv.progress", record)
      let continued = try await run(port, ["import", file])
      #expect(continued.errors == "Continuing after 2 rows.\n")
      #expect(continued.output == "2 imported, 1 already stored, 0 rejected\n")
      _ = try write("users.csv.progress", record)
      _ = try write("users.csv", "email\nd@x.example\nb@x.example\nc@x.example\n")
      #expect(try await run(port, ["import", file]).output == "1 imported, 2 already stored, 0 rejected\n")
    }
  }

  @Test("users of another system are imported with the parameters of their project")
  func firebase() async throws {
    let service = ImportContract()
    try await withServer(service) { port in
      let file = try write(
        "users.json",
        #"{"users": [{"localId": "x", "email": "a@x.example", "passwordHash": "AAAA", "salt": "AA=="}, {"email": ""}]}"#
      )
      let arguments = ["import", file, "--format", "firebase"]
      let without = try await run(port, arguments)
      #expect(without.output == "0 imported, 0 already stored, 2 rejected\n")
      let rejected = directory.path("users.rejected.jsonl")
      let key = try write("key", "AAAA\n")
      let with = try await run(
        port, ["import", rejected, "--format", "firebase", "--firebase-key-file", key])
      #expect(with.output == "1 imported, 0 already stored, 1 rejected\n")
      for other in [
        ["--firebase-key", "*"], ["--firebase-key", "AAAA", "--firebase-rounds", "9"],
        ["--firebase-key", "AAAA", "--firebase-key-file", key],
      ] {
        #expect(try await run(port, arguments + other).status == 2)
      }
      #expect(try await run(port, ["import", file]).status == 2)
      #expect(
        try await run(port, ["import", file, "--format", "kratos", "--firebase-key", "AAAA"]).status == 2)
    }
  }

  @Test("an export is written to a file that only its owner can read, and can be imported")
  func export() async throws {
    let users = (0..<2_500).map { number in
      User_V1_ImportUserRequest.with {
        $0.email = "user\(number)@x.example"
        $0.name = "'=\(number), \"x\""
        $0.passwordHash = "$2b$\(number)"
        $0.createdAt = .init(seconds: 1_764_000_000, nanos: 123_456_000)
        $0.labels = ["tenant": "a,b"]
      }
    }
    let service = ImportContract(pages: [Array(users[..<1_000]), Array(users[1_000...])], exportCuts: [500])
    try await withServer(service) { port in
      for form in ["csv", "jsonl"] {
        let file = directory.path("export.\(form)")
        let outcome = try await run(port, ["export", "--file", file, "--password-hashes"])
        #expect(
          outcome.status == 0 && outcome.output == "" && true)
        #expect(try files().allSatisfy { !$0.hasSuffix(".part") })
        #expect(try mode(file) == 0o600)
        #expect(try text(file).split(separator: "\n").count == (form == "csv" ? 2_501 : 2_500))
        #expect(try await run(port, ["export", "--file", file]).status == 2)
        let imported = try await run(port, ["import", file])
        #expect(
          imported.output.hasSuffix(
            form == "csv" ? " 0 already stored, 0 rejected\n" : "2,500 already stored, 0 rejected\n"))
      }
      let shown = try await run(port, ["export", "--output", "jsonl"])
      #expect(shown.output.split(separator: "\n").count == 2_500 && !shown.output.contains("$2b$"))
      #expect(service.stored == users.map(\.email))
    }
  }
}
