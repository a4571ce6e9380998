import ArgumentParser
import Foundation
import Primitives
import TokenSigning
import UserDomain
import UserServiceApp
import UserStore

extension TokenCommand {
  struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Revoke one access token. A running service refuses it within a second.",
      discussion: """
        Takes the token, or its id, which `token issue` prints and the token contains as `jti`. Other tokens stay \
        valid; `user-service keys rotate --overlap 0s` revokes all of them.
        """)

    @OptionGroup var database: DatabaseOption
    @OptionGroup var settings: SettingsOption
    // An id may begin with a hyphen.
    @Option(parsing: .unconditional, help: ArgumentHelp("Revoke the token with this id.", valueName: "id"))
    var jti: String?
    @Option(help: ArgumentHelp("Revoke the token in this file; - is standard input.", valueName: "path"))
    var tokenFile: String?

    func validate() throws {
      guard (jti == nil) != (tokenFile == nil) else {
        throw ValidationError("give either --jti or --token-file")
      }
      if let jti, TokenID(jti) == nil {
        throw ValidationError("--jti must be a token id of this service: 22 characters")
      }
    }

    func run() async throws {
      guard let token = try await token() else {
        print("the token has expired; nothing was changed")
        return
      }
      let isNew = try database.address().revocations.revoke(token, longest: Issue.longest)
      let owner = token.subject.map { " of \(Terminal.harmless($0))" } ?? ""
      print(isNew ? "revoked token \(token.id)\(owner)" : "token \(token.id)\(owner) was already revoked")
    }

    /// Returns the token to revoke, or nil if it has expired.
    private func token() async throws -> RevokedToken? {
      let now = Timestamp.now
      if let id = jti.flatMap({ TokenID($0) }) {
        return RevokedToken(id: id, subject: nil, expiresAt: nil, revokedAt: now)
      }
      let text = try SmallFile.line(tokenFile ?? "-")
      var authority = try settings.authority(database.database)
      authority.outside = nil
      guard let file = authority.keys, try file.read() != nil else {
        Terminal.note("Error: the token cannot be checked without the key file; give its id with --jti")
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
      abstract: "List the access tokens that were revoked one by one.",
      discussion: "A revocation removes from the list the tokens that expired more than a day ago.")

    @OptionGroup var database: DatabaseOption

    func run() throws {
      let rows = try database.address().revocations.list().map { token in
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
  /// RFC 3339 in UTC, to the second.
  var inSeconds: String {
    RFC3339.text(microsecondsSinceEpoch: microsecondsSinceEpoch, .seconds)
  }
}
