import ArgumentParser
import Foundation
import Primitives
import TokenSigning
import UserDomain
import UserStore

extension TokenCommand {
  struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Revokes one access token before it expires. A running service refuses it within a second.",
      discussion: """
        Takes the token itself, or its id: `token issue` prints it, and the token has it as `jti`. Other tokens stay \
        good; `user-service keys rotate --overlap 0s` revokes all of them.
        """)

    @OptionGroup var database: DatabaseOption
    @OptionGroup var settings: SettingsOption
    @Option(help: ArgumentHelp("The token's id.", valueName: "id"))
    var jti: String?
    @Option(help: ArgumentHelp("A file with the token; - is standard input.", valueName: "path"))
    var tokenFile: String?

    func validate() throws {
      guard (jti == nil) != (tokenFile == nil) else {
        throw ValidationError("give either --jti or --token-file")
      }
      if let jti, TokenID(jti) == nil {
        throw ValidationError("--jti must be the id of a token of this service, 22 characters")
      }
    }

    func run() async throws {
      guard let token = try await token() else {
        print("the token has expired; nothing was changed")
        return
      }
      let isNew = try SQLiteTokenRevocations(path: database.database).revoke(token, longest: Issue.longest)
      let owner = token.subject.map { " of \(Terminal.harmless($0))" } ?? ""
      print(isNew ? "revoked token \(token.id)\(owner)" : "token \(token.id)\(owner) was revoked before")
    }

    /// The token that is to be revoked; nil if it has expired.
    private func token() async throws -> RevokedToken? {
      let now = Timestamp.now
      if let id = jti.flatMap({ TokenID($0) }) {
        return RevokedToken(id: id, subject: nil, expiresAt: nil, revokedAt: now)
      }
      let text = try SmallFile.line(tokenFile ?? "-")
      var authority = try settings.authority(database.database)
      authority.outside = nil
      guard let file = authority.keys, try file.read() != nil else {
        Terminal.note("Error: there is no key file to check the token with; give its id with --jti")
        throw ExitCode.failure
      }
      let verifier = try await TokenAuthority(authority).verifier
      do throws(UserError) {
        let claims = try verifier.verify(authorization: "Bearer \(text)")
        guard let id = claims.tokenID else { throw UserError.unauthenticated(.malformed) }
        return RevokedToken(
          id: id, subject: claims.principal.subject, expiresAt: claims.expiresAt, revokedAt: now)
      } catch .unauthenticated(.expired) {
        return nil
      } catch {
        Terminal.note(
          "Error: this is not a token of this service, or its key was retired; nothing was changed")
        throw ExitCode.failure
      }
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists the access tokens that were revoked one by one.",
      discussion: "A token leaves the list a day after it has expired, when the next one is revoked.")

    @OptionGroup var database: DatabaseOption

    func run() throws {
      let rows = try SQLiteTokenRevocations(path: database.database).list().map { token in
        [
          "\(token.id)", token.subject.map { Terminal.harmless($0) } ?? "unknown", token.revokedAt.inSeconds,
          token.expiresAt?.inSeconds ?? "unknown",
        ]
      }
      print(Terminal.table([["TOKEN", "SUBJECT", "REVOKED", "EXPIRES"]] + rows))
    }
  }
}

extension Timestamp {
  /// RFC 3339 in UTC, in whole seconds.
  var inSeconds: String {
    RFC3339.text(microsecondsSinceEpoch: microsecondsSinceEpoch, .seconds)
  }
}
