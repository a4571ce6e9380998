import Foundation
import TestSupport
import UserStore

@testable import UserStorePostgres

/// A new PostgreSQL database, which is dropped with this object.
final class TestDatabase: Sendable {
  /// The address of a server, with a slash at its end; nil without one.
  static let server = ProcessInfo.processInfo.environment["USER_SERVICE_TEST_POSTGRES"]

  let uri: String
  let address: PostgresAddress
  private let name: String

  init() throws {
    name = "copy_" + UUID().uuidString.replacing("-", with: "").lowercased()
    uri = "\(Self.server ?? "postgres:///")\(name)"
    address = try PostgresAddress(uri)
    try Self.execute("CREATE DATABASE \(name)")
  }

  deinit {
    // A database that is left behind harms no test.
    try? Self.execute("DROP DATABASE \(name) WITH (FORCE)")
  }

  /// Executes a statement in the database, and returns the first value of its result, as text.
  @discardableResult
  func execute(_ sql: String) throws -> String? {
    let result = try PostgresConnector(address: address, role: .administration(lockTimeout: .seconds(10)))
      .open()
      .executeAll(sql)
    return result.count == 0 || result.isNull(0, 0) ? nil : result.text(0, 0)
  }

  private static func execute(_ sql: String) throws {
    let address = try PostgresAddress("\(server ?? "postgres:///")postgres")
    _ = try PostgresConnector(address: address, role: .administration(lockTimeout: .seconds(10))).open()
      .executeAll(sql)
  }
}
