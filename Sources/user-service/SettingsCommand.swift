import ArgumentParser
import UserServiceApp

/// `user-service settings`: prints the settings that `serve` would use.
struct SettingsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "settings",
    abstract: "Print every setting of the service: its value, its default and its effect.",
    discussion: """
      Reads values from the environment and from the file that --config names, and checks them as serve does. A dash means \
      the default.
      """)

  @OptionGroup var file: SettingsOption
  @Flag(help: "Print the page of settings in Markdown, without values.")
  var markdown = false

  func run() throws {
    guard !markdown else { return print(SettingsPage.markdown) }
    let configuration = try ServiceConfiguration(flags: [:], file: file.config)
    let rows = Setting.all.map { setting in
      let value = setting.text(configuration)
      return [
        setting.name, value == setting.standard ? "-" : value.description, setting.standard.description,
        setting.help,
      ]
    }
    print(Terminal.table([["SETTING", "VALUE", "DEFAULT", "DOES"]] + rows))
  }
}
