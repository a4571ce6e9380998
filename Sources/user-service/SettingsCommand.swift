import ArgumentParser
import UserServiceApp

/// `user-service settings`: what `serve` would go by.
struct SettingsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "settings",
    abstract: "Prints every setting of the service: its value, its default and what it does.",
    discussion: """
      Values come from the environment and from the file that --config names, and are checked as by serve. A dash stands \
      for the default.
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
