/// A setting of the service: the single source of its errors, `serve --help`, `user-service settings` and
/// docs/settings.md.
package struct Setting: Sendable {
  /// The setting's name, words joined with dots: `log.level`.
  package let name: String
  /// The form of the setting's flag of `serve`, if it has one.
  package let flag: Flag?
  /// The name of ``flag``, without leading hyphens.
  package let flagName: String
  /// The permitted values, in words: `1 to 64`.
  package let values: String
  /// The effect of the setting: one sentence in the imperative.
  package let help: String
  /// Details beyond ``help``, in Markdown, for docs/settings.md only.
  package let note: String?
  /// The default: the value with which ``ServiceConfiguration`` starts.
  package let standard: SettingText

  let shape: SettingShape
  /// Parses a text and sets its value.
  let apply: @Sendable (inout ServiceConfiguration, String) throws(InvalidSetting) -> Void
  /// Returns the value in a configuration.
  package let text: @Sendable (ServiceConfiguration) -> SettingText

  /// The form of a flag of `serve`.
  package enum Flag: Hashable, Sendable {
    /// `--name <placeholder>`.
    case option(String)
    /// `--name` and `--no-name`.
    case toggle
    /// `--name`, which sets `true`.
    case `switch`
  }

  /// Declares the setting `name`, stored at `path` and written in `form`.
  ///
  /// - Parameter flagName: the name of its flag, if it is not `name` with hyphens.
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

  /// The name of the setting's environment variable.
  package var variable: String {
    "USER_SERVICE_" + name.uppercased().replacing(".", with: "_")
  }

  /// ``help`` followed by the default, for `serve --help`.
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
