import ArgumentParser
import Foundation
import UserServiceApp
import UserStore

/// `--database`, shared by every command that opens a database.
struct DatabaseOption: ParsableArguments {
  @Option(help: ArgumentHelp("Open this SQLite file, or this PostgreSQL database.", valueName: "path or URI"))
  var database: String

  func validate() throws {
    if database.isEmpty { throw ValidationError("--database must not be empty") }
    if database == ":memory:" {
      throw ValidationError("--database must name a file: an in-memory database ends with the command")
    }
  }

  /// What the option names.
  ///
  /// - Throws: `StoreError.missing` if it names a file that does not exist, unless `mayCreate`; `.inaccessible` for an
  ///   invalid URI.
  func address(mayCreate: Bool = false) throws(StoreError) -> DatabaseAddress {
    let address = try DatabaseAddress(database)
    if case .sqlite = address, !mayCreate, !FileManager.default.fileExists(atPath: database) {
      throw .missing(path: database)
    }
    return address
  }
}
