import Configuration

/// The sources of settings in order of precedence: flags, the environment, the configuration file. A source gives a
/// setting as one text.
///
/// swift-configuration merges the sources and names the environment variables. These parts of it are not used:
/// - `CommandLineArgumentsProvider` ignores unknown flags, and splits every value at its commas. swift-argument-parser
///   refuses unknown flags, and prints the help.
/// - `JSONSnapshot`: see ``ConfigurationFile``.
/// - `DirectoryFilesProvider` reads one secret a file. No setting is a secret: `auth.keys`, `tls.key` and `auth.jwks.file`
///   are paths of files with secrets, whose permissions the service checks.
/// - Scoped readers would split the table of settings by name prefix.
struct SettingSources {
  private let reader: ConfigReader

  /// - Parameters:
  ///   - flags: texts by setting name.
  ///   - file: texts by setting name.
  /// - environment: texts by variable name. Unknown variables are ignored: other programs have their own, and
  ///   Kubernetes sets `USER_SERVICE_PORT` for a service of that name.
  init(flags: [String: String], environment: [String: String], file: [String: String]) {
    reader = ConfigReader(providers: [
      Self.provider("flags", flags),
      EnvironmentVariablesProvider(environmentVariables: environment).prefixKeys(with: ["user", "service"]),
      Self.provider("file", file),
    ])
  }

  /// The text of the setting `name`, or nil if no source gives it.
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
