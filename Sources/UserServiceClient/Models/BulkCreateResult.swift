/// The outcomes of a part of a bulk load.
public struct BulkBatch: Sendable {
  /// The index of the part's first user in the load, from 0.
  public let firstIndex: Int
  /// For each user, in order: its id, or the error because of which it was not created.
  public let outcomes: [Result<String, UserServiceError>]
}

/// The outcome of a bulk load.
public struct BulkCreateResult: Sendable {
  /// A user that was not created.
  public struct Failure: Hashable, Sendable {
    /// The user's index in the load, from 0.
    public let index: Int
    /// The error because of which the user was not created.
    public let error: UserServiceError
  }

  /// The ids of the created users, in order.
  public internal(set) var userIDs: [String] = []
  /// The users that were not created, in order.
  public internal(set) var failures: [Failure] = []
}
