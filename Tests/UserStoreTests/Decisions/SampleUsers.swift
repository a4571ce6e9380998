import UserDomain

extension UserID {
  static let ada = UserID(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0001)
  static let eve = UserID(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0002)
}

extension Timestamp {
  /// The time of the decisions, a second after the users were created.
  static let decision = Timestamp(microsecondsSinceEpoch: 2_000_000)
}

extension User {
  /// A user with the address `ada@example.com`.
  static func ada(
    _ id: UserID = .ada, _ status: UserStatus = .active, deletion: UserDeletion? = nil
  ) -> User {
    User(
      id: id, email: EmailAddress(trusted: "ada@example.com"), name: UserName(trusted: "Ada"), status: status,
      createdAt: Timestamp(microsecondsSinceEpoch: 1_000_000), deletion: deletion)
  }
}
