import UserDomain

// Use cases as the service itself asks for them, where a test is not about who asks.

extension UserDirectory {
  func createUser(
    email: String, name: String, password: String, requestID: String = ""
  ) async throws(UserError) -> User {
    try await createUser(email: email, name: name, password: password, requestID: requestID, for: .service)
  }

  func updateUser(
    id: String, email: String? = nil, name: String? = nil, status: Int? = nil, password: String? = nil,
    by authority: WriteAuthority? = nil
  ) async throws(UserError) -> User {
    try await updateUser(
      id: id, email: email, name: name, status: status, password: password, by: authority, for: .service)
  }
}

extension SessionDirectory {
  func signIn(email: String, password: String) async throws(UserError) -> TokenPair {
    try await signIn(email: email, password: password, for: .service)
  }
}
