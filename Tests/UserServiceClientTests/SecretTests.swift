import Testing
import UserServiceClient

@Suite struct SecretTests {
  @Test("secrets do not print themselves")
  func secrets() throws {
    let user = NewUser(email: "ada@example.com", name: "Ada", password: "correct horse")
    let update = UserUpdate(
      userID: "7", password: .set("correct horse"), currentPassword: "wrong horse")
    let configuration = UserServiceClient.Configuration(
      try #require(ServerAddress("localhost")), credentials: .accessToken("correct horse"))
    for text in ["\(user)", "\([user])", "\(update)", "\(configuration)"] {
      #expect(!text.contains("horse"), "\(text)")
    }
  }
}
