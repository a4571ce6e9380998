/// What became of a part of a bulk load.
public struct BulkBatch: Sendable {
  /// The place of its first user in the load, from 0.
  public let firstIndex: Int
  /// The id of each user, or why it was not created, in their order.
  public let outcomes: [Result<String, UserServiceError>]
}

/// What became of a bulk load.
public struct BulkCreateResult: Sendable {
  /// Why one user was not created.
  public struct Failure: Hashable, Sendable {
    /// The user's place in the load, from 0.
    public let index: Int
    /// Why.
    public let error: UserServiceError
  }

  /// The ids of the users that were created, in their order.
  public internal(set) var userIDs: [String] = []
  /// Those that were not created, in their order.
  public internal(set) var failures: [Failure] = []
}
