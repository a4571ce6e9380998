import ArgumentParser
import TokenSigning
import UserServiceApp

/// `--config`, for `serve` and for commands that go by the same settings.
struct SettingsOption: ParsableArguments {
  @Option(help: ArgumentHelp("Read the service's settings from this JSON file.", valueName: "path"))
  var config: String?

  /// Who signs tokens for `serve` with the same settings and `database`.
  ///
  /// - Throws: an error that names a setting that cannot be used.
  func authority(_ database: String) throws -> TokenAuthority.Configuration {
    // Nothing is served here, so where the service listens is of no concern.
    try ServiceConfiguration(flags: ["database": database, "insecure": "true"], file: config).authority
  }
}
