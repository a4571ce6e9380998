import UserDomain
import UserStore

/// The read that shows whether the authority of a write still holds.
struct AuthorityRead: Sendable {
  private let authority: WriteAuthority?

  init(_ authority: WriteAuthority?) {
    self.authority = authority
  }

  /// What the read is about.
  var dependencies: Set<WriteKey> { authority?.bearer.map { [.user($0.userID)] } ?? [] }

  /// The read; none for a caller that is not a user.
  var commands: [Command] {
    authority?.bearer.map { [Command(TokenStatements.standing, .id($0.userID))] } ?? []
  }

  /// Returns why the authority no longer permits writing, or nil, and drops the result of the read.
  func fault(_ found: inout ArraySlice<QueryResult>) -> UserError? {
    guard let authority else { return nil }
    let standing = authority.bearer == nil ? nil : found.popFirst()
    return authority.fault { _ in standing.flatMap { UserStanding($0) } }
  }
}

extension UserStanding {
  /// Creates the standing in a result of `TokenStatements.standing`; nil if it has none.
  init?(_ result: QueryResult) {
    guard result.count > 0 else { return nil }
    self.init(status: UserStatus(rawValue: Int(result.small(0, 0))), epoch: result.integer(0, 1))
  }
}

extension CommittedWrite {
  /// Notes the epoch of `user` in the row that a command has returned, if it has.
  mutating func noteEpoch(of user: User, _ result: QueryResult) {
    guard result.count > 0 else { return }
    revoked.append(
      .epochBegan(
        user.id,
        RevocationList.Epoch(
          number: result.integer(0, 0), beganAt: result.time(0, 1), isUserActive: user.maySignIn)))
  }
}
