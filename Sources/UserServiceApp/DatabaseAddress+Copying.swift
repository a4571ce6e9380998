import Foundation
package import UserStore
import UserStorePostgres
import UserStoreSQLite

/// What a copy reads and writes.
extension DatabaseAddress {
  /// Opens the database to copy it, or to compare it. The caller closes the result.
  ///
  /// - Throws: `StoreError`, `CopyFault.inUse`, `.unfinished`.
  package func copySource() throws(StoreError) -> any CopySource {
    switch self {
    case .sqlite(let location): try SQLiteCopySource(path: location.description)
    case .postgres(let address): try PostgresCopySource(address)
    }
  }

  /// Opens the database to receive a copy. The caller closes the result.
  ///
  /// - Throws: `StoreError`, `CopyFault.inUse`, `.occupied`. Nothing was changed.
  package func copyTarget() throws(StoreError) -> any CopyTarget {
    switch self {
    case .sqlite(let location): try SQLiteCopyTarget(path: location.description)
    case .postgres(let address): try PostgresCopyTarget(address)
    }
  }

  /// Whether `other` is the same file, or the same text of a URI. Two URIs may lead to one database unnoticed.
  package func isSame(as other: DatabaseAddress) -> Bool {
    switch (self, other) {
    case (.sqlite(let left), .sqlite(let right)): Self.resolved(left) == Self.resolved(right)
    default: self == other
    }
  }

  private static func resolved(_ location: DatabaseLocation) -> String {
    URL(fileURLWithPath: location.description).resolvingSymlinksInPath().path
  }
}
