import Foundation
import TestSupport
import Testing
import UserServiceApp

/// `settings` as an operator runs it.
@Suite(.fewAtOnce, .timeLimit(.minutes(10))) struct SettingsCommandTests {
  private let directory: TemporaryDirectory
  private let file: String

  init() throws {
    directory = try TemporaryDirectory()
    file = directory.path("settings.json")
    try Data(#"{"bulk": {"rows": 7}, "log": {"level": "debug"}}"#.utf8).write(to: URL(fileURLWithPath: file))
  }

  @Test("every setting has a line, with the value from the environment or the file")
  func values() async throws {
    let done = try await Program.run(
      "user-service", ["settings", "--config", file], environment: ["USER_SERVICE_LOG_LEVEL": "error"])
    #expect(done.status == 0 && done.errors.isEmpty)
    let lines = done.output.split(separator: "\n").dropFirst().map { $0.split(separator: " ") }
    #expect(lines.map { String($0[0]) } == Setting.all.map(\.name))
    func cells(_ name: String) -> [Substring]? { lines.first { $0[0] == name }.map { Array($0[1...2]) } }
    #expect(cells("log.level") == ["error", "info"])
    #expect(cells("bulk.rows") == ["7", "100000"])
    #expect(cells("log.format") == ["-", "text"])
  }

  @Test("an invalid value is reported in one line, as by serve")
  func invalid() async throws {
    let done = try await Program.run(
      "user-service", ["settings", "--config", file], environment: ["USER_SERVICE_BULK_ROWS": "0"])
    #expect(done.status == 1 && done.output.isEmpty)
    #expect(done.errors == "Error: bulk.rows is '0'; it must be 1 to 100000\n")
  }

  @Test("--markdown prints the page of settings, regardless of the environment")
  func markdown() async throws {
    let done = try await Program.run(
      "user-service", ["settings", "--markdown"], environment: ["USER_SERVICE_BULK_ROWS": "0"])
    #expect(done.status == 0 && done.output == SettingsPage.markdown + "\n")
  }
}
