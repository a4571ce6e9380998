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
    for start in stride(from: 0, to: ids.count, by: Self.usersPerTurn) {
      if start > 0 {
        await Task.yield()
        if Task.isCancelled { throw .cancelled }
      }
      let turn = ids[start..<min(start + Self.usersPerTurn, ids.count)]
      let found = try await repository.users(ids: turn.compactMap { UserID($0) }, showsDeleted: showsDeleted)
      for text in turn {
        if let user = UserID(text).flatMap({ found[$0] }) { users.append(user) } else { missing.append(text) }
      }
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
