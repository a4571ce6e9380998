import ArgumentParser
import UserServiceApp

/// The flags of `serve`, one for each setting that has one. Names, help and defaults come from the settings.
///
/// swift-argument-parser finds flags in the properties of a type, so each is declared here. The argument of a
/// property's wrapper is the name of its setting.
struct ServeFlags: ParsableArguments {
  @Option("database") var database: SettingArgument?
  @Option("listen") var listen: [String]
  @Option("tls.cert") var tlsCert: SettingArgument?
  @Option("tls.key") var tlsKey: SettingArgument?
  @Option("tls.client.ca") var tlsClientCA: SettingArgument?
  @Option("auth.mode") var auth: SettingArgument?
  @Flag("insecure") var insecure: Bool
  @Flag("migrate") var migrate: Bool?
  @Flag("take.over") var takeOver: Bool
  @Flag("reflection") var reflection: Bool?
  @Option("log.level") var logLevel: SettingArgument?
  @Option("log.format") var logFormat: SettingArgument?
  @Option("shutdown.grace") var shutdownGrace: SettingArgument?
  @Option("bulk.rows") var bulkRows: SettingArgument?
  @Option("deleted.retention") var deletedRetention: SettingArgument?
  @Option("metrics.listen") var metricsListen: SettingArgument?
  @Option("argon2.memory") var argon2Memory: SettingArgument?
  @Option("argon2.iterations") var argon2Iterations: SettingArgument?
  @Option("argon2.parallelism") var argon2Parallelism: SettingArgument?

  /// Settings given on the command line, as texts by name. The values of a repeated flag are joined with commas.
  var settings: [String: String] {
    let options = [
      database, tlsCert, tlsKey, tlsClientCA, auth, logLevel, logFormat, shutdownGrace, bulkRows,
      deletedRetention,
      metricsListen, argon2Memory, argon2Iterations, argon2Parallelism,
    ].compactMap(\.self)
    let switches = [
      "insecure": insecure ? true : nil, "migrate": migrate, "take.over": takeOver ? true : nil,
      "reflection": reflection,
    ]
    var settings = switches.compactMapValues { $0.map(String.init) }
    for option in options { settings[option.name] = option.text }
    if !listen.isEmpty { settings["listen"] = listen.joined(separator: ",") }
    return settings
  }
}

/// The value of a setting that an option gives.
struct SettingArgument: Sendable {
  /// The setting's name.
  let name: String
  /// Its value.
  let text: String
}

extension Option where Value == SettingArgument? {
  /// Declares the option of the setting `name`.
  fileprivate init(_ name: String) {
    let setting = Setting.named(name)
    self.init(name: .customLong(setting.flagName), help: setting.argumentHelp) {
      SettingArgument(name: name, text: $0)
    }
  }
}

extension Option where Value == [String] {
  /// Declares the option of the setting `name`, which accepts several values.
  fileprivate init(_ name: String) {
    let setting = Setting.named(name)
    self.init(wrappedValue: [], name: .customLong(setting.flagName), help: setting.argumentHelp)
  }
}

extension Flag where Value == Bool? {
  /// Declares the two flags of the setting `name`.
  fileprivate init(_ name: String) {
    let setting = Setting.named(name)
    self.init(name: .customLong(setting.flagName), inversion: .prefixedNo, help: setting.argumentHelp)
  }
}

extension Flag where Value == Bool {
  /// Declares the flag that sets `name` to true.
  fileprivate init(_ name: String) {
    let setting = Setting.named(name)
    self.init(wrappedValue: false, name: .customLong(setting.flagName), help: setting.argumentHelp)
  }
}

extension Setting {
  fileprivate var argumentHelp: ArgumentHelp {
    var help = ArgumentHelp(stringLiteral: flagHelp)
    if case .option(let placeholder) = flag { help.valueName = placeholder }
    return help
  }
}
