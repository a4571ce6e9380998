import ArgumentParser
import Testing
import UserServiceApp

@testable import user_service

@Suite struct ServeFlagsTests {
  @Test(
    "every flag of a setting sets it, and nothing else",
    arguments: Setting.all.filter { $0.flag != nil }.map(\.name))
  func settings(name: String) throws {
    let flag = try #require(Setting.named(name).flag)
    switch flag {
    case .option(let flag, _):
      #expect(try ServeFlags.parse(["--\(flag)", "a text"]).settings == [name: "a text"])
      #expect(try ServeFlags.parse(["--\(flag)", ""]).settings == [name: ""])
    case .toggle(let flag):
      #expect(try ServeFlags.parse(["--\(flag)"]).settings == [name: "true"])
      #expect(try ServeFlags.parse(["--no-\(flag)"]).settings == [name: "false"])
    case .switch(let flag):
      #expect(try ServeFlags.parse(["--\(flag)"]).settings == [name: "true"])
    }
  }

  @Test("without a flag nothing is set, and an unknown flag is refused")
  func others() throws {
    #expect(try ServeFlags.parse([]).settings.isEmpty)
    #expect(throws: (any Error).self) { try ServeFlags.parse(["--bulk-row", "1"]) }
    #expect(throws: (any Error).self) { try ServeFlags.parse(["something"]) }
  }

  @Test("the texts of a repeated --listen are one, and of another flag the last counts")
  func repeated() throws {
    let flags = try ServeFlags.parse([
      "--listen", "a", "--log-level", "x", "--listen", "b,c", "--log-level", "y",
    ])
    #expect(flags.settings == ["listen": "a,b,c", "log.level": "y"])
  }

  @Test(
    "serve --help has each flag with its sentence and its default",
    arguments: Setting.all.filter { $0.flag != nil }.map(\.name))
  func help(name: String) throws {
    let setting = Setting.named(name)
    let help = ServeCommand.helpMessage(columns: 1_000)
    let line = try #require(help.split(separator: "\n").first { $0.contains(setting.flagHelp) })
    let flag = try #require(setting.flag)
    #expect(line.contains("--\(flag.name)") || help.contains("--\(flag.name) "))
    let standard = setting.standard.description
    let isToggle = if case .toggle = flag { true } else { false }
    #expect(setting.flagHelp == "\(setting.help) (default: \(isToggle ? "--\(flag.name)" : standard))")
  }
}
