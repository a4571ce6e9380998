import ArgumentParser

/// The program's version (semver.org).
enum Version {
  static let current = "0.1.0"
}

/// `user-service version`.
struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

  func run() {
    print("user-service \(Version.current)")
  }
}
