/// The outcomes of a part of an import.
public struct ImportBatch: Sendable {
  /// The index of the part's first user in the import, from 0.
  public let firstIndex: Int
  /// What became of each user, in order.
  public let outcomes: [ImportOutcome]
}

/// What became of one user of an import.
public enum ImportOutcome: Hashable, Sendable {
  /// The user is stored; if it was only to be checked, it can be, and the id is empty.
  case stored(id: String)
  /// The user was stored before, with the same id and address, or the same address if the import gave no id. It is
  /// unchanged.
  case alreadyStored(id: String)
  /// The user is not stored.
  case failed(UserServiceError)
}
