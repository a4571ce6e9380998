import ArgumentParser
import Foundation
import TokenSigning
import UserDomain
import UserServiceApp
import UserStore

/// `user-service token`: tokens for other services.
struct TokenCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "Issues and revokes access tokens without the service.",
    subcommands: [Issue.self, Revoke.self, List.self])

  struct Issue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints an access token, signed with the service's own key.",
      discussion: """
        Needs the key file, whether the service runs or not. A service's token is good until it expires, its key is \
        retired (`user-service keys rotate`) or it is revoked (`user-service token revoke`); a user's is revoked also as \
        those of its sign-ins are. The token's id, by which it can be revoked, goes to standard error.
        """)

    @OptionGroup var database: DatabaseOption
    @OptionGroup var settings: SettingsOption
    @Option(
      help: ArgumentHelp(
        "Whose token it is: the name of a service, of letters, digits, dots, hyphens and underscores, or a user's id.",
        valueName: "name"))
    var subject: String
    @Option(
      help: ArgumentHelp(
        "users:read, users:write or both with a comma; without it a user may read and change itself only.",
        valueName: "scopes"))
    var scope = ""
    @Option(help: ArgumentHelp("How long it is good, up to 90d.", valueName: "duration"))
    var ttl = DurationArgument(.seconds(86_400))

    static let longest: Duration = .seconds(90 * 86_400)

    func validate() throws {
      guard (1...64).contains(subject.utf8.count), subject.allSatisfy(Self.isPlain) else {
        throw ValidationError("--subject must be 1 to 64 letters, digits, dots, hyphens or underscores")
      }
      let known = Scopes.named.map(\.name)
      if let unknown = scopeNames.first(where: { !known.contains(String($0)) }) {
        throw ValidationError("there is no scope '\(unknown)'; there are \(known.joined(separator: " and "))")
      }
      if scopeNames.isEmpty, UserID(subject) == nil {
        throw ValidationError("a service needs a --scope: without one its token permits nothing")
      }
      guard ttl.duration >= .seconds(1), ttl.duration <= Self.longest else {
        throw ValidationError("--ttl must be 1s to 90d")
      }
    }

    private static func isPlain(_ character: Character) -> Bool {
      character.isASCII && (character.isLetter || character.isNumber || "._-".contains(character))
    }

    private var scopeNames: [Substring] { scope.split(separator: ",") }

    func run() async throws {
      var authority = try settings.authority(database.database)
      // Nothing is verified here.
      authority.outside = nil
      guard FileManager.default.fileExists(atPath: database.database) else {
        throw StoreError.missing(path: database.database)
      }
      let now = Timestamp.now
      let id = TokenID.random()
      let claims = AccessTokenClaims(
        principal: Principal(subject: subject.lowercasedIfUser, scopes: Scopes(names: scopeNames)),
        issuedAt: now,
        expiresAt: now + ttl.duration, epoch: try epoch(), tokenID: id)
      print(try await TokenAuthority(authority).issue(claims))
      Terminal.note("token \(id), expires \(claims.expiresAt.inSeconds)")
    }

    /// The epoch of the user whose token it is; nil for a service.
    private func epoch() throws -> Int64? {
      guard let id = UserID(subject) else { return nil }
      guard let epoch = try SQLiteTokenRevocations(path: database.database).epoch(of: id) else {
        throw ValidationError("--subject is the id of no active user")
      }
      return epoch
    }
  }
}

extension String {
  /// A user's id as the service writes it; any other text as it is.
  fileprivate var lowercasedIfUser: String { UserID(self)?.description ?? self }
}
