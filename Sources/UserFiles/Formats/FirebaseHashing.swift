/// How a Firebase project hashes passwords: the parameters that its console shows, or `firebase auth:export` documents.
public struct FirebaseHashing: Hashable, Sendable {
  /// The signer key, in base64.
  let key: String
  /// The salt separator, in base64.
  let saltSeparator: String
  /// The number of rounds, 1 to 8.
  let rounds: Int
  /// The memory cost, a power of two, 1 to 14.
  let memoryCost: Int

  /// The values that are permitted, for messages.
  public static let permitted = (rounds: 1...8, memoryCost: 1...14)

  /// Creates the parameters; nil if a text is not base64 or a number is not permitted.
  public init?(key: String, saltSeparator: String, rounds: Int, memoryCost: Int) {
    guard let key = Base64Text(key), let separator = Base64Text(saltSeparator), key.count > 0,
      Self.permitted.rounds.contains(rounds), Self.permitted.memoryCost.contains(memoryCost)
    else { return nil }
    self.key = key.padded
    self.saltSeparator = separator.padded
    self.rounds = rounds
    self.memoryCost = memoryCost
  }
}
