package import UserDomain

extension UsersRead {
  /// The number of users that one read looks at: so many take a millisecond.
  package static let looks = 1_000
}
