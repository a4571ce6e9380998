import UserDomain

/// The check of a password against a stored hash: which phrases are hashed, and what a match means.
struct StoredHashCheck {
  /// The maximum processor time of a check, by the estimate of ``StoredHash/time(forLength:)``.
  static let timeLimit: Duration = .milliseconds(1_500)
  /// The maximum length in bytes of a password that is tried in two forms.
  static let maximumSecondFormLength = 128

  let stored: any StoredHash
  /// Whether the hash is like the hasher's new ones. Others may be another system's.
  let isOwn: Bool

  /// Checks `password`.
  ///
  /// A hash is kept where its function ignores a part of the password: a new hash would be of that text, which may not be
  /// the original password.
  func run(_ password: Password) throws(UserError) -> PasswordVerification {
    // HMAC and crypt(3) do not tell some passwords with a NUL from others. It is refused after the work, like a phrase
    // that is too long: an early answer would tell that the address has an imported hash.
    let isRefused = !isOwn && password.asGiven.utf8.contains(0)
    for phrase in phrases(of: password) {
      let isMatch = try matches(phrase)
      if isMatch, !isRefused { return .match(needsRehash: !isOwn && phrase.coversText) }
    }
    return .mismatch
  }

  private func matches(_ phrase: Phrase) throws(UserError) -> Bool {
    if isOwn { return try stored.matches(phrase.bytes) }
    let limit = stored.maximumPhraseLength
    let hashable = phrase.bytes.prefix(limit).map { byte in byte == 0 ? 1 : byte }
    return try stored.matches(hashable) && phrase.bytes.count <= limit
  }

  /// Returns the distinct phrases to try, the likeliest first: as many as ``timeLimit`` allows, and at least one.
  func phrases(of password: Password) -> [Phrase] {
    var phrases: [Phrase] = []
    var time = Duration.zero
    for phrase in texts(of: password).flatMap({ stored.phraseRule.phrases(of: $0) })
    where !phrases.contains(where: { $0.bytes == phrase.bytes }) {
      time += self.time(of: phrase)
      if !phrases.isEmpty, time > Self.timeLimit { break }
      phrases.append(phrase)
    }
    return phrases
  }

  /// Returns the processor time that a wrong password takes, as estimated.
  func time(of password: Password) -> Duration {
    phrases(of: password).reduce(.zero) { sum, phrase in sum + time(of: phrase) }
  }

  private func time(of phrase: Phrase) -> Duration {
    stored.time(forLength: min(phrase.bytes.count, stored.maximumPhraseLength))
  }

  /// Returns the texts that the hash may be of: this service hashes the NFKC form, others the text as typed.
  private func texts(of password: Password) -> [[UInt8]] {
    let normalized = Array(password.normalized.utf8)
    let typed = Array(password.asGiven.utf8)
    // Compared as bytes: equal strings are canonically equivalent, and may differ in bytes.
    if isOwn || normalized == typed { return [normalized] }
    // Argon2 may be this service's, of a time with other parameters.
    let texts = stored is PHCString ? [normalized, typed] : [typed, normalized]
    return max(normalized.count, typed.count) > Self.maximumSecondFormLength ? [texts[0]] : texts
  }
}
