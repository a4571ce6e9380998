import ArgumentParser
import Foundation
import TokenSigning
import UserDomain
import UserServiceApp
import UserStore

/// `user-service token`: tokens for other services.
struct TokenCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "Issue and revoke access tokens without the service.",
    subcommands: [Issue.self, Revoke.self, List.self])

  struct Issue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print an access token signed with the service's own key.",
      discussion: """
        Needs the key file; the service need not run. A service's token is valid until it expires, its key is \
        retired (`user-service keys rotate`) or it is revoked (`user-service token revoke`). A new password, or the \
        status inactive, revokes a user's tokens too. The token's id, which `token revoke` takes, goes to standard error.
        """)

    @OptionGroup var database: DatabaseOption
    @OptionGroup var settings: SettingsOption
    @Option(
      help: ArgumentHelp(
        "Issue the token to this service (letters, digits, dots, hyphens and underscores) or user id.",
        valueName: "name"))
    var subject: String
    @Option(
      help: ArgumentHelp(
        """
        Grant these scopes, separated by commas: \(Self.scopeList). Without it, users may read, change and delete only \
        themselves.
        """,
        valueName: "scopes"))
    var scope = ""
    @Option(help: ArgumentHelp("Let the token expire after this long, at most 90d.", valueName: "duration"))
    var ttl = DurationArgument(.seconds(86_400))

    private static let scopeList = Scopes.named.map(\.name).joined(separator: ", ")
    static let longest = AccessTokenClaims.longestLifetime

    func validate() throws {
      guard (1...64).contains(subject.utf8.count), subject.allSatisfy(Self.isPlain) else {
        throw ValidationError("--subject must be 1 to 64 letters, digits, dots, hyphens or underscores")
      }
      let known = Scopes.named.map(\.name)
      if let unknown = scopeNames.first(where: { !known.contains(String($0)) }) {
        throw ValidationError(
          "unknown scope '\(unknown)'; the scopes are \(Self.scopeList)")
      }
      if scopeNames.isEmpty, UserID(subject) == nil {
        throw ValidationError("--scope is required for a service: without it, the token permits nothing")
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
      // Issuing verifies no tokens, so the other issuer's keys are not needed.
      authority.outside = nil
      let store = try database.address()
      let now = Timestamp.now
      let id = TokenID.random()
      let claims = AccessTokenClaims(
        principal: Principal(subject: subject.lowercasedIfUser, scopes: Scopes(names: scopeNames)),
        issuedAt: now,
        expiresAt: now + ttl.duration, epoch: try epoch(store), tokenID: id)
      print(try await TokenAuthority(authority).issue(claims))
      Terminal.note("token \(id), expires \(claims.expiresAt.inSeconds)")
    }

    /// Returns the epoch of the user whose token this is, or nil for a service.
    private func epoch(_ store: DatabaseAddress) throws -> Int64? {
      guard let id = UserID(subject) else { return nil }
      guard let epoch = try store.revocations.epoch(of: id) else {
        throw ValidationError("--subject: no active user has this id")
      }
      return epoch
    }
  }
}

extension String {
  /// The text as the service writes it if it is a user id, or unchanged.
  fileprivate var lowercasedIfUser: String { UserID(self)?.description ?? self }
}
