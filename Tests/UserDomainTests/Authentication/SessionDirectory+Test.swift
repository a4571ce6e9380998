import UserDomain

extension SessionDirectory {
  /// Signs in from a network, by default always the same one.
  func signIn(
    email: String, password: String, network: String = "ipv4:192.0.2.1:50000", knownDevice: String = ""
  ) async throws(UserError) -> TokenPair {
    try await signIn(
      email: email, password: password, from: PeerNetwork(peer: network), knownDevice: knownDevice,
      for: .service)
  }
}
