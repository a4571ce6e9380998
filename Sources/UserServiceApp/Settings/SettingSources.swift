import Configuration

/// Where settings come from, in the order of their precedence: flags, the environment, the configuration file. Each gives
/// a setting as a text, or does not give it.
///
/// Of swift-configuration this uses the order of providers and the names of environment variables, and passes over:
/// - `CommandLineArgumentsProvider`, which ignores flags that it does not know and splits every value at its commas.
///   swift-argument-parser refuses unknown flags, and has the help.
/// - `JSONSnapshot`, for the reasons that ``ConfigurationFile`` gives.
/// - `DirectoryFilesProvider`, whose files are secrets. No setting is one: `tls.key` and its like are paths of files, whose
///   permissions the service checks.
/// - scoped readers, which would take the dotted names of the table apart.
struct SettingSources {
  private let reader: ConfigReader

  /// - Parameters:
  ///   - flags: texts by the names of their settings.
  ///   - file: likewise.
  ///   - environment: texts by the names of their variables. Unknown variables are ignored: other programs have some too,
  ///     and Kubernetes sets `USER_SERVICE_PORT` for a service of that name.
  init(flags: [String: String], environment: [String: String], file: [String: String]) {
    reader = ConfigReader(providers: [
      Self.provider("flags", flags),
      EnvironmentVariablesProvider(environmentVariables: environment).prefixKeys(with: ["user", "service"]),
      Self.provider("file", file),
    ])
  }

  /// The text of the setting `name`; nil if no source gives it.
  subscript(name: String) -> String? {
    reader.string(forKey: ConfigKey(Self.components(name)))
  }

  private static func provider(_ name: String, _ texts: [String: String]) -> InMemoryProvider {
    let values = texts.map { name, text in
      (AbsoluteConfigKey(components(name)), ConfigValue(.string(text), isSecret: false))
    }
    return InMemoryProvider(name: name, values: Dictionary(uniqueKeysWithValues: values))
  }

  private static func components(_ name: String) -> [String] {
    name.split(separator: ".").map(String.init)
  }
}
