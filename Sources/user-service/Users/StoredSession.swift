import Foundation
import Primitives
import UserServiceClient

/// The tokens of the last sign-in to a service, in a file of the user's own, for the commands to come.
///
/// A file an address, so that no service is sent another's tokens and no command has to change what another reads.
/// Another for TLS: whoever has signed in with it and then forgets it does not send the tokens in the clear.
struct StoredSession: Sendable {
  private let file: URL

  /// The session with the service at `address`: in `$XDG_CONFIG_HOME/user-service`, or else `~/.config/user-service`
  /// (XDG Base Directory Specification).
  init(_ address: ServerAddress, _ security: ConnectionSecurity) {
    func folder(_ variable: String) -> URL? {
      ProcessInfo.processInfo.environment[variable].flatMap {
        $0.hasPrefix("/") ? URL(fileURLWithPath: $0) : nil
      }
    }
    // The home of the environment, as for a shell, which may be another than the one of the user database.
    let home = folder("HOME") ?? FileManager.default.homeDirectoryForCurrentUser
    let plain = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-._"))
    let isSecure = security != .cleartext
    let name =
      "\(isSecure ? "tls:" : "")\(address)".addingPercentEncoding(withAllowedCharacters: plain) ?? ""
    file = (folder("XDG_CONFIG_HOME") ?? home.appendingPathComponent(".config"))
      .appendingPathComponent("user-service/sessions").appendingPathComponent(name + ".json")
  }

  /// The tokens, or nil if nobody is signed in.
  var tokens: Tokens? {
    get throws {
      guard FileManager.default.fileExists(atPath: file.path) else { return nil }
      do {
        return try JSONDecoder().decode(Tokens.self, from: Data(contentsOf: file))
      } catch {
        throw FileFailure("\(file.path) cannot be read; sign in again")
      }
    }
  }

  /// Keeps the tokens in place of those before, or forgets them. That it could not is said, and ends nothing.
  func keep(_ tokens: Tokens?) {
    do {
      if let tokens { try write(JSONEncoder().encode(tokens)) } else { try remove() }
    } catch {
      Terminal.note("warning: the sign-in is not kept for the next command: \(error.fileProblem)")
    }
  }

  private func write(_ data: Data) throws {
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true,
      attributes: [.posixPermissions: 0o700])
    try PrivateFile.replace(file.path, with: data)
  }

  private func remove() throws {
    if FileManager.default.fileExists(atPath: file.path) { try FileManager.default.removeItem(at: file) }
  }
}
