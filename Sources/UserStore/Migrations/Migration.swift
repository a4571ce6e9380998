import Crypto
import Foundation
import Primitives

/// One step of the schema's history: SQL that applies it, and SQL that takes it back.
public struct Migration: Hashable, Sendable {
  /// Its place in the history, from 1.
  public let version: Int
  /// What it does, in snake case.
  public let name: String
  /// The text of `NNNN_name.up.sql`.
  public let up: String
  /// The text of `NNNN_name.down.sql`.
  public let down: String

  /// A migration made of its two texts.
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

  /// SHA-256 of the text that was or would be applied, in lower-case hexadecimal.
  public var checksum: String {
    Hexadecimal.encode(Array(SHA256.hash(data: Data(up.utf8))))
  }
}
