import Crypto
import Foundation
import Primitives

/// One step of the schema: SQL that applies it, and SQL that reverts it.
public struct Migration: Hashable, Sendable {
  /// The version that it leads to, from 1.
  public let version: Int
  /// The name in snake case, which says what it does.
  public let name: String
  /// The text of `NNNN_name.up.sql`.
  public let up: String
  /// The text of `NNNN_name.down.sql`.
  public let down: String

  /// Creates a migration from its two texts.
  public init(version: Int, name: String, up: String, down: String) {
    self.version = version
    self.name = name
    self.up = up
    self.down = down
  }

  /// The files' common name, `NNNN_name`.
  public var id: String {
    let digits = String(version)
    return String(repeating: "0", count: max(4 - digits.count, 0)) + digits + "_" + name
  }

  /// The SHA-256 of the `up` text, in lower-case hexadecimal.
  public var checksum: String {
    Hexadecimal.encode(Array(SHA256.hash(data: Data(up.utf8))))
  }
}
