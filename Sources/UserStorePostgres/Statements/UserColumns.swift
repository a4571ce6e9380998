import UserDomain

/// The columns of `users` that a row of a user is made of.
enum UserColumns {
  static let sql = "id, email, name, status, created_at, updated_at, deleted_at, purge_at, labels"
  /// The number of columns.
  static let count: Int32 = 9
}

extension QueryResult {
  /// Returns the user in a row, except its texts.
  ///
  /// - Throws: a failure of the kind of a damaged database for a row that this program cannot have stored.
  func userRow(_ row: Int) throws(PostgresFailure) -> UserRow {
    guard let id = id(row, 0), let status = UserStatus(rawValue: Int(small(row, 3))) else {
      throw PostgresFailure(origin: .statement, state: "XX001", message: "a user has an unknown id or status")
    }
    let createdAt = time(row, 4)
    return UserRow(
      id: id, status: status, createdAt: createdAt, updatedAt: optionalTime(row, 5) ?? createdAt,
      deletion: optionalTime(row, 6).map { UserDeletion(deletedAt: $0, purgeAt: time(row, 7)) },
      labels: isNull(row, 8) ? UserLabels() : UserLabels(trusted: text(row, 8)))
  }

  /// Calls `body` with the user in a row, whose texts are lent for the call.
  func lendUser(_ row: Int, _ user: UserRow, _ body: UserReader) {
    withSpan(row, 1) { email in withSpan(row, 2) { name in body(user, email, name) } }
  }

  /// Returns the user in a row.
  func user(_ row: Int) throws(PostgresFailure) -> User {
    let found = try userRow(row)
    var user: User?
    lendUser(row, found) { user = User($0, email: $1, name: $2) }
    // The reader is called once.
    return user!
  }

  /// Returns the only user of a result, or nil.
  func onlyUser() throws(PostgresFailure) -> User? { count == 0 ? nil : try user(0) }

  private func withSpan(_ row: Int, _ column: Int32, _ body: (UTF8Span) -> Void) {
    withExtendedLifetime(self) {
      let bytes = bytes(row, column).assumingMemoryBound(to: UInt8.self)
      let span = Span(_unsafeElements: bytes)
      // The server has checked that the text is UTF-8, the encoding of the database.
      body(UTF8Span(unchecked: span))
    }
  }
}
