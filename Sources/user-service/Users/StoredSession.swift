import Foundation
import Primitives
import UserServiceClient

/// The tokens of the last sign-in to a service, in a file private to the user, for later commands.
///
/// Each address has a file of its own, so that no service receives the tokens of another.
/// TLS and cleartext also have separate files: tokens of a TLS sign-in are never sent in the clear.
struct StoredSession: Sendable {
  private let file: URL

  /// Locates the session with the service at `address`: below `$XDG_CONFIG_HOME/user-service`, or else
  /// `~/.config/user-service` (XDG Base Directory Specification).
  init(_ address: ServerAddress, _ security: ConnectionSecurity) {
    func folder(_ variable: String) -> URL? {
      ProcessInfo.processInfo.environment[variable].flatMap {
        $0.hasPrefix("/") ? URL(fileURLWithPath: $0) : nil
      }
    }
    // `HOME` takes precedence over the home directory in the user database, as in a shell.
    let home = folder("HOME") ?? FileManager.default.homeDirectoryForCurrentUser
    let plain = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-._"))
    let isSecure = security != .cleartext
    let name =
      "\(isSecure ? "tls:" : "")\(address)".addingPercentEncoding(withAllowedCharacters: plain) ?? ""
    file = (folder("XDG_CONFIG_HOME") ?? home.appendingPathComponent(".config"))
      .appendingPathComponent("user-service/sessions").appendingPathComponent(name + ".json")
  }

  /// The tokens, or nil without a sign-in.
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

  /// Replaces the stored tokens, or deletes them for nil. A failure is reported and not thrown.
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
