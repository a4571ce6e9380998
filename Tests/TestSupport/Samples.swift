public import UserDomain

extension ForeignUser {
  /// Returns a valid user of an import.
  public static func sample(_ number: Int) -> ForeignUser {
    ForeignUser(
      email: EmailAddress(trusted: "user\(number)@example.com"), name: UserName(trusted: "User \(number)"))
  }
}

extension NewUser {
  /// Returns a valid user, different for each number.
  public static func sample(_ number: Int, passwordHash: PasswordHash? = nil) -> NewUser {
    NewUser(
      email: EmailAddress(trusted: "user\(number)@example.com"), name: UserName(trusted: "User \(number)"),
      passwordHash: passwordHash)
  }
}
