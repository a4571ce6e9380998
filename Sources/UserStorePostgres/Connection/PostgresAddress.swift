import CLibpq
import Glibc
public import UserStore

/// The address of a database as libpq takes it: a URI
/// (postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS). What it does not say, libpq takes from its
/// environment variables, service files and password files.
public struct PostgresAddress: Hashable, Sendable {
  /// The text, which may have a password in it.
  let uri: String
  private let name: String

  /// Returns whether `text` is meant as an address of PostgreSQL, and not as the path of a file.
  public static func isAddress(_ text: String) -> Bool {
    text.hasPrefix("postgres://") || text.hasPrefix("postgresql://")
  }

  /// Creates the address in a URI.
  ///
  /// - Throws: `StoreError.inaccessible` if it is not one, or is ambiguous, so that a part of the password may count as
  ///   another part. The message has no text of the URI, but may have libpq's own words.
  public init(_ uri: String) throws(StoreError) {
    guard Self.isUnambiguous(uri) else {
      throw .inaccessible(
        path: "--database",
        reason: """
          not a URI of PostgreSQL: in its user name and password, write % as %25, / as %2F, @ as %40, ? as %3F, : as %3A, \
          [ as %5B and ] as %5D
          """)
    }
    self.uri = uri
    var error: UnsafeMutablePointer<CChar>?
    guard let options = PQconninfoParse(uri, &error) else {
      defer { PQfreemem(error) }
      let message = error.map { String(cString: $0).trimmingNewlines } ?? "out of memory"
      throw .inaccessible(
        path: "--database", reason: "not a valid address of PostgreSQL: \(Self.withoutQuotation(message))")
    }
    defer { PQconninfoFree(options) }
    name = Self.name(options)
  }

  /// Returns whether the parts of a URI are where its first separators say (RFC 3986 §3.2): libpq takes `u:a/b@h` for a host
  /// `u` and a database `b@h`, and would print a part of the password as theirs.
  private static func isUnambiguous(_ uri: String) -> Bool {
    guard let scheme = uri.firstRange(of: "://") else { return false }
    let rest = uri[scheme.upperBound...]
    let beforeQuery = rest.prefix { $0 != "?" }
    let authority = beforeQuery.prefix { $0 != "/" }
    let path = beforeQuery[authority.endIndex...]
    let parts = authority.split(separator: "@", omittingEmptySubsequences: false)
    guard parts.count <= 2, isEncoded(authority), isEncoded(path), !path.contains("@") else { return false }
    if parts.count == 2 {
      let user = parts[0]
      if user.contains("[") || user.contains("]") || user.count(where: { $0 == ":" }) > 1 { return false }
    }
    return (parts.last ?? "").split(separator: ",", omittingEmptySubsequences: false).allSatisfy(isHost)
  }

  /// Returns whether each % in a text begins an encoded byte.
  private static func isEncoded(_ text: Substring) -> Bool {
    text.split(separator: "%", omittingEmptySubsequences: false).dropFirst().allSatisfy {
      $0.prefix(2).count(where: { $0.isASCII && $0.isHexDigit }) == 2
    }
  }

  /// Returns whether a text is a host, or an IPv6 address in brackets, with or without a port.
  private static func isHost(_ text: Substring) -> Bool {
    guard text.first == "[" else {
      let parts = text.split(separator: ":", omittingEmptySubsequences: false)
      return parts.count == 1 || parts.count == 2 && isPort(parts[1])
    }
    guard let end = text.firstIndex(of: "]") else { return false }
    let port = text[text.index(after: end)...]
    return port.isEmpty || port.first == ":" && isPort(port.dropFirst())
  }

  private static func isPort(_ text: Substring) -> Bool { text.allSatisfy { $0.isASCII && $0.isNumber } }

  /// Returns a message of libpq without the part of the URI that it quotes at its end: a password may be in it.
  private static func withoutQuotation(_ message: String) -> String {
    message.firstRange(of: ": \"").map { String(message[..<$0.lowerBound]) } ?? message
  }

  /// Returns an address for messages, without a password.
  private static func name(_ options: UnsafeMutablePointer<PQconninfoOption>) -> String {
    func value(_ keyword: String) -> String? {
      var option = options
      while let name = option.pointee.keyword {
        if String(cString: name) == keyword { return option.pointee.val.map { String(cString: $0) } }
        option += 1
      }
      return nil
    }
    let user = value("user").map { "\($0)@" } ?? ""
    let hosts = (value("host") ?? value("hostaddr") ?? "").split(
      separator: ",", omittingEmptySubsequences: false)
    let ports = (value("port") ?? "").split(separator: ",", omittingEmptySubsequences: false)
    let places = hosts.enumerated().map { index, host in
      let port = ports.count > 1 ? ports[min(index, ports.count - 1)] : ports.first ?? ""
      return port.isEmpty ? String(host) : "\(host):\(port)"
    }
    let database = value("dbname").map { "/\($0)" } ?? ""
    let service = value("service").map { "?service=\($0)" } ?? ""
    return "postgres://\(user)\(places.joined(separator: ","))\(database)\(service)"
  }
}

extension PostgresAddress: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The address without its password.
  public var description: String { name }
  /// The address without its password.
  public var debugDescription: String { name }
  /// Nothing but the description: `dump` would print the URI.
  public var customMirror: Mirror { Mirror(self, children: []) }
}
