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
  /// - Throws: `StoreError.inaccessible` with libpq's own words if it is not one, but without those of the URI.
  public init(_ uri: String) throws(StoreError) {
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
