import ArgumentParser
import TokenSigning
import UserServiceApp

/// `--config`, shared by `serve` and the commands that use its settings.
struct SettingsOption: ParsableArguments {
  @Option(help: ArgumentHelp("Read the service's settings from this JSON file.", valueName: "path"))
  var config: String?

  /// Returns the token authority of a service with these settings and `database`.
  ///
  /// - Throws: an error that names the invalid setting.
  func authority(_ database: String) throws -> TokenAuthority.Configuration {
    // These commands do not listen, so the check of exposed addresses does not apply.
    try ServiceConfiguration(flags: ["database": database, "insecure": "true"], file: config).authority
  }
}
