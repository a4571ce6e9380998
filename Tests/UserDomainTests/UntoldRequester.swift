import UserDomain

// Calls use cases as the service itself, with ids as text, for tests that are not about a hash's requester.

extension UserDirectory {
  func createUser(
    email: String, name: String, password: String, requestID: String = "", from network: PeerNetwork? = nil
  ) async throws(UserError) -> User {
    try await createUser(
      email: email, name: name, password: password, requestID: requestID, from: network, for: .service)
  }

  func user(id: String) async throws(UserError) -> User { try await user(UserReference(id)) }

  func updateUser(
    id: String, email: String? = nil, name: String? = nil, status: Int? = nil, password: String? = nil,
    by authority: WriteAuthority? = nil, proof: PasswordProof? = nil
  ) async throws(UserError) -> User {
    try await updateUser(
      UserReference(id), UserUpdate(email: email, name: name, status: status, password: password),
      by: authority,
      proof: proof, for: .service)
  }
}
