import ArgumentParser
import Foundation
import Primitives
import TokenSigning

/// `user-service keys`: the keys that the service's own tokens are signed with.
struct KeysCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys", abstract: "Lists and rotates the keys that access tokens are signed with.",
    subcommands: [List.self, Rotate.self])

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Lists the keys, without their private parts.")

    @OptionGroup var database: DatabaseOption
    @OptionGroup var settings: SettingsOption

    func run() throws {
      let file = try KeysCommand.file(database, settings)
      guard let ring = try file.read() else {
        Terminal.note("\(file.path): no such key file; 'user-service serve' makes one")
        throw ExitCode.failure
      }
      print(KeysCommand.table(ring))
    }
  }

  struct Rotate: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: """
        Makes a new key. A running service signs with it within 2 seconds, and accepts tokens that it has signed at once.
        """,
      discussion: """
        What the previous key has signed stays good for --overlap, which by default is as long as any token may be. \
        With --overlap 0s every token is revoked: after a key has leaked.
        """)

    @OptionGroup var database: DatabaseOption
    @OptionGroup var settings: SettingsOption
    @Option(help: ArgumentHelp("How long the tokens of the keys so far stay good.", valueName: "duration"))
    var overlap = DurationArgument(TokenCommand.Issue.longest)

    func run() throws {
      let file = try KeysCommand.file(database, settings)
      let ring = try file.rotate(overlap: overlap.duration)
      print(KeysCommand.table(ring))
    }
  }

  private static func file(_ database: DatabaseOption, _ settings: SettingsOption) throws -> KeyFile {
    guard let file = try settings.authority(database.database).keys else {
      throw ValidationError("a database in memory has no key file")
    }
    return file
  }

  private static func table(_ ring: KeyRing) -> String {
    let now = Date()
    let rows = ring.keys.map { key in
      [key.kid, key.createdAt.rfc3339(.seconds), state(of: key, in: ring, now)]
    }
    return Terminal.table([["KEY", "CREATED", "STATE"]] + rows)
  }

  private static func state(of key: KeyRing.Key, in ring: KeyRing, _ now: Date) -> String {
    guard let end = key.retiresAt, let remaining = ring.remainingTrust(in: key, at: now) else {
      return "signs"
    }
    if remaining <= .zero { return "over since \(min(end, now).rfc3339(.seconds))" }
    // Sooner than the file says if the clock was ahead when the key was retired.
    return "good until \(min(end, now.addingTimeInterval(remaining / .seconds(1))).rfc3339(.seconds))"
  }
}
