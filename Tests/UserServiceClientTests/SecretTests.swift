import Testing
import UserServiceClient

@Suite struct SecretTests {
  @Test("secrets do not print themselves")
  func secrets() throws {
    let user = NewUser(email: "ada@example.com", name: "Ada", password: "correct horse")
    let update = UserUpdate(
      userID: "7", password: .set("correct horse"), currentPassword: "wrong horse")
    let imported = ImportedUser(email: "ada@example.com", passwordHash: "$horse", password: "correct horse")
    let configuration = UserServiceClient.Configuration(
      try #require(ServerAddress("localhost")), credentials: .accessToken("correct horse"))
    for text in ["\(user)", "\([user])", "\(update)", "\(imported)", "\([imported])", "\(configuration)"] {
      #expect(!text.contains("horse"), "\(text)")
    }
  }
}
