extension UserDirectory {
  /// The maximum number of ids in a batch.
  public static let largestBatch = 1_000
  /// The number of users that are read before other work of the thread gets its turn.
  private static let usersPerTurn = 100

  /// Returns the users with these ids, in their order.
  ///
  /// - Throws: `UserError.invalid` for no ids, too many or an empty one; `.notAllFound`; `.cancelled`; errors
  ///   of the store.
  public func users(ids: [String], showsDeleted: Bool) async throws(UserError) -> [User] {
    guard (1...Self.largestBatch).contains(ids.count) else {
      throw .invalid([.userIDs(.outOfRange, "must have 1 to \(Self.largestBatch) entries")])
    }
    guard !ids.contains("") else { throw .invalid([.userIDs(.required, "must not have an empty entry")]) }
    var users: [User] = []
    users.reserveCapacity(ids.count)
    var missing: [String] = []
    for (index, text) in ids.enumerated() {
      if index > 0, index % Self.usersPerTurn == 0 {
        await Task.yield()
        if Task.isCancelled { throw .cancelled }
      }
      if let id = UserID(text),
        try await repository.readUser(
          id: id, showsDeleted: showsDeleted, { users.append(User($0, email: $1, name: $2)) })
      {
        continue
      }
      missing.append(text)
    }
    if !missing.isEmpty { throw .notAllFound(missing) }
    return users
  }
}

extension FieldViolation {
  fileprivate static func userIDs(_ reason: Reason, _ description: String) -> FieldViolation {
    FieldViolation(field: "user_ids", reason: reason, description: description)
  }
}
