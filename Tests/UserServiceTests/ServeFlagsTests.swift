import ArgumentParser
import Testing
import UserServiceApp

@testable import user_service

@Suite struct ServeFlagsTests {
  @Test(
    "every flag of a setting sets it, and nothing else",
    arguments: Setting.all.filter { $0.flag != nil }.map(\.name))
  func settings(name: String) throws {
    let setting = Setting.named(name)
    let flag = setting.flagName
    switch try #require(setting.flag) {
    case .option:
      #expect(try ServeFlags.parse(["--\(flag)", "a text"]).settings == [name: "a text"])
      #expect(try ServeFlags.parse(["--\(flag)", ""]).settings == [name: ""])
    case .toggle:
      #expect(try ServeFlags.parse(["--\(flag)"]).settings == [name: "true"])
      #expect(try ServeFlags.parse(["--no-\(flag)"]).settings == [name: "false"])
    case .switch:
      #expect(try ServeFlags.parse(["--\(flag)"]).settings == [name: "true"])
    }
  }

  @Test("without flags nothing is set, and an unknown flag is refused")
  func others() throws {
    #expect(try ServeFlags.parse([]).settings.isEmpty)
    #expect(throws: (any Error).self) { try ServeFlags.parse(["--bulk-row", "1"]) }
    #expect(throws: (any Error).self) { try ServeFlags.parse(["something"]) }
  }

  @Test("the values of a repeated --listen are joined; for another flag the last one counts")
  func repeated() throws {
    let flags = try ServeFlags.parse([
      "--listen", "a", "--log-level", "x", "--listen", "b,c", "--log-level", "y",
    ])
    #expect(flags.settings == ["listen": "a,b,c", "log.level": "y"])
  }

  @Test(
    "serve --help shows each flag with its help and default",
    arguments: Setting.all.filter { $0.flag != nil }.map(\.name))
  func help(name: String) throws {
    let setting = Setting.named(name)
    let isToggle = setting.flag == .toggle
    let lines = ServeCommand.helpMessage(columns: 1_000).split(separator: "\n").map {
      $0.drop(while: \.isWhitespace)
    }
    let sentence =
      "\(setting.help) (default: \(isToggle ? "--\(setting.flagName)" : setting.standard.description))"
    let index = try #require(lines.firstIndex { $0.hasSuffix(sentence) })
    // A long flag has its own line before its help.
    let line = lines[index].hasPrefix("--") ? lines[index] : lines[index - 1]
    #expect(line.hasPrefix("--\(setting.flagName)\(isToggle ? "/" : "")"))
  }
}
