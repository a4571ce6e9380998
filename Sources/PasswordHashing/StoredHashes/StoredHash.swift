import UserDomain

/// A stored hash whose text follows its format and whose cost is within bounds.
protocol StoredHash: Sendable {
  /// The memory that a check takes, in bytes; 0 if it is less than 64 KiB.
  var memoryBytes: Int { get }

  /// Returns whether this is a hash of `password`, which is not empty. The hashes are compared in constant time.
  ///
  /// - Throws: `UserError.passwordHashing` if the library could not compute the hash.
  func matches(_ password: [UInt8]) throws(UserError) -> Bool
}
