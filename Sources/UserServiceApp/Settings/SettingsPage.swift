/// The contents of docs/settings.md, which `./dev generate` writes.
package enum SettingsPage {
  /// The page, in Markdown.
  package static var markdown: String {
    let sections = SettingSection.all.map { section in
      let parts = ["## \(section.title)", section.introduction, table(section.settings), section.remarks]
      return parts.compactMap(\.self).joined(separator: "\n\n")
    }
    return ([beginning] + sections).joined(separator: "\n\n")
  }

  private static let beginning = """
    <!-- Generated from Sources/UserServiceApp/Settings by ./dev generate. Do not edit. -->

    # Settings

    A flag of `user-service serve` takes precedence over an environment variable, which takes precedence over the JSON
    file that `--config` names, which takes precedence over the default. An empty variable counts as a value.

    In the file, `log.level` is `{"log": {"level": "info"}}` or `{"log.level": "info"}`; numbers, `true` and `false`
    need no quotes. An unknown setting in the file is an error, as is a value out of bounds. Unknown variables are
    ignored, because the environment may hold those of other programs, such as the ones that Kubernetes sets for a
    service of this name.

    A duration is a number and a unit: `250ms`, `1.5s`, `2m`, `1h`, `30d`.

    `user-service settings` prints every setting with its current value, and checks the environment and the file of
    `--config` as `serve` does.
    """

  private static func table(_ settings: [Setting]) -> String {
    let haveFlags = settings.contains { $0.flag != nil }
    let names = haveFlags ? ["flag", "environment", "in the file"] : ["setting"]
    let head = names + ["default", "values", "effect"]
    let rows = settings.map { setting in
      let name = code(setting.name)
      let names = haveFlags ? [flag(setting), code(setting.variable), name] : [name]
      let effect = [setting.help, setting.note].compactMap(\.self).joined(separator: " ")
      return names + [code(setting.standard), grouped(setting.values), effect]
    }
    let lines = [line(head), "|" + String(repeating: "---|", count: head.count)] + rows.map(line)
    return lines.joined(separator: "\n")
  }

  private static func line(_ cells: [String]) -> String {
    "| \(cells.joined(separator: " | ")) |"
  }

  private static func code(_ text: String) -> String {
    "`\(text)`"
  }

  private static func code(_ text: SettingText) -> String {
    switch text {
    case .value(let value): code(value)
    case .words(let words): words
    }
  }

  private static func flag(_ setting: Setting) -> String {
    let name = "--\(setting.flagName)"
    return switch setting.flag {
    case .option(let placeholder): code("\(name) \(placeholder.uppercased())")
    case .toggle: "\(code(name)), \(code("--no-\(setting.flagName)"))"
    case .switch: code(name)
    case nil: ""
    }
  }

  /// Returns `text` with thousands separators in its numbers of four digits and more.
  private static func grouped(_ text: String) -> String {
    text.replacing(/[1-9][0-9]{3,}/) { match in
      let digits = Array(match.output)
      return String(
        digits.enumerated().flatMap { index, digit in
          index > 0 && (digits.count - index).isMultiple(of: 3) ? [",", digit] : [digit]
        })
    }
  }
}
