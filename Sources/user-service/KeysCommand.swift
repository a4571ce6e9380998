import ArgumentParser
import Foundation
import Primitives
import TokenSigning

/// `user-service keys`: the keys that sign the service's own tokens.
struct KeysCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys", abstract: "List and rotate the keys that sign access tokens.",
    subcommands: [List.self, Rotate.self])

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the keys, without their private parts.")

    @OptionGroup var database: DatabaseOption
    @OptionGroup var settings: SettingsOption

    func run() throws {
      let file = try KeysCommand.file(database, settings)
      guard let ring = try file.read() else {
        Terminal.note("\(file.path): the key file does not exist; 'user-service serve' creates it")
        throw ExitCode.failure
      }
      print(KeysCommand.table(ring))
    }
  }

  struct Rotate: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: """
        Create a new key. A running service signs with it within 2 seconds, and accepts tokens signed with it at once.
        """,
      discussion: """
        Tokens signed with the previous key stay valid for --overlap, by default the longest lifetime of a token. \
        --overlap 0s revokes every token: use it after a key has leaked.
        """)

    @OptionGroup var database: DatabaseOption
    @OptionGroup var settings: SettingsOption
    @Option(help: ArgumentHelp("Accept tokens of the previous keys for this long.", valueName: "duration"))
    var overlap = DurationArgument(TokenCommand.Issue.longest)

    func run() throws {
      let file = try KeysCommand.file(database, settings)
      let ring = try file.rotate(overlap: overlap.duration)
      print(KeysCommand.table(ring))
    }
  }

  private static func file(_ database: DatabaseOption, _ settings: SettingsOption) throws -> KeyFile {
    guard let file = try settings.authority(database.database).keys else {
      throw ValidationError("an in-memory database has no key file")
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
    if remaining <= .zero { return "expired \(min(end, now).rfc3339(.seconds))" }
    // Sooner than the file says if the clock was ahead when the key was retired.
    return "valid until \(min(end, now.addingTimeInterval(remaining / .seconds(1))).rfc3339(.seconds))"
  }
}
