import UserDomain

/// A stored hash whose text follows its format and whose cost is within bounds.
protocol StoredHash: Sendable, Redacted {
  /// The memory that a check takes, in bytes; 0 if it is less than 64 KiB.
  var memoryBytes: Int { get }

  /// How the system that made the hash made a phrase of a password.
  var phraseRule: PhraseRule { get }

  /// The maximum length of a phrase in bytes: what the function takes, and what ``StoredHashCheck/timeLimit`` allows.
  var maximumPhraseLength: Int { get }

  /// Returns the processor time that `matches` takes for a phrase of `length` bytes, as estimated for one core of a 2020s
  /// server.
  func time(forLength length: Int) -> Duration

  /// Returns whether this is a hash of `phrase`, which is at most ``maximumPhraseLength`` bytes long and has no NUL. The
  /// hashes are compared in constant time.
  ///
  /// - Throws: `UserError.passwordHashing` if the library could not compute the hash.
  func matches(_ phrase: [UInt8]) throws(UserError) -> Bool
}

extension StoredHash {
  var phraseRule: PhraseRule { .asTyped }
  var maximumPhraseLength: Int { .max }
}
