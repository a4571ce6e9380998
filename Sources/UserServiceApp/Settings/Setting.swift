/// A setting of the service. Errors, `serve --help`, `user-service settings` and docs/settings.md are made of it, so that it
/// is written once.
package struct Setting: Sendable {
  /// The setting's name, words with dots between them: `log.level`.
  package let name: String
  /// The setting's flag of `serve`, if it has one.
  package let flag: Flag?
  /// The name of ``flag``, without hyphens in front.
  package let flagName: String
  /// The values that the setting may have, in words: `1 to 64`.
  package let values: String
  /// What the setting does: one sentence in the imperative.
  package let help: String
  /// What there is to say beyond ``help``, in Markdown, for docs/settings.md alone.
  package let note: String?
  /// The value of a setting that no source gives: the one that ``ServiceConfiguration`` begins with.
  package let standard: SettingText

  let shape: SettingShape
  /// Sets the value that a text stands for.
  let apply: @Sendable (inout ServiceConfiguration, String) throws(InvalidSetting) -> Void
  /// The value that a configuration has.
  package let text: @Sendable (ServiceConfiguration) -> SettingText

  /// How `serve` takes a setting.
  package enum Flag: Hashable, Sendable {
    /// `--name <placeholder>`.
    case option(String)
    /// `--name` and `--no-name`.
    case toggle
    /// `--name`, which sets `true`.
    case `switch`
  }

  /// The setting `name`, which is stored at `path` and written in `form`.
  ///
  /// - Parameter flagName: the name of its flag, if that is not `name` with hyphens.
  init<Value>(
    _ name: String, _ path: any WritableKeyPath<ServiceConfiguration, Value> & Sendable,
    _ form: SettingForm<Value>, flag: Flag? = nil, flagName: String? = nil, _ help: String,
    note: String? = nil
  ) {
    self.name = name
    self.flag = flag
    self.flagName = flagName ?? name.replacing(".", with: "-")
    self.help = help
    self.note = note
    values = form.values
    shape = form.shape
    standard = form.write(ServiceConfiguration()[keyPath: path])
    text = { form.write($0[keyPath: path]) }
    apply = { configuration, text throws(InvalidSetting) in
      do throws(SettingRefusal) {
        configuration[keyPath: path] = try form.read(text)
      } catch {
        throw InvalidSetting(description: "\(name) \(error.words)")
      }
    }
  }

  /// The environment variable that gives the setting.
  package var variable: String {
    "USER_SERVICE_" + name.uppercased().replacing(".", with: "_")
  }

  /// ``help`` with the default, as `serve --help` shows it.
  package var flagHelp: String {
    let standard =
      switch (flag, standard) {
      case (.toggle, .value("true")): "--\(flagName)"
      case (.toggle, _): "--no-\(flagName)"
      case (_, let standard): standard.description
      }
    return "\(help) (default: \(standard))"
  }
}
