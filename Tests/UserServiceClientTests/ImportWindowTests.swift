import Testing
import UserProtos

@testable import UserServiceClient

@Suite(.timeLimit(.minutes(1))) struct ImportWindowTests {
  @Test("a result wakes the application, also if a row that is not sent has its outcome with it")
  func wakes() async throws {
    let window = ImportWindow()
    var large = ImportedUser(email: "large@example.com")
    large.name = String(repeating: "x", count: 9_000)
    for user in [ImportedUser(email: "ada@example.com"), large] { _ = window.append(user) }
    let outcomes = try await IdleLimit.run(first: .seconds(60), then: .seconds(60)) { idle in
      #expect(try await window.nextRows(idle)?.map(\.email) == ["ada@example.com"])
      async let position = window.wait()
      try window.answer(User_V1_ImportUserResult(), idle)
      #expect(await position.hasOutcomes)
      return window.takeOutcomes()
    }
    #expect(outcomes.count == 2)
    guard case .failed(.invalidUser) = outcomes.last else {
      Issue.record("\(outcomes)")
      return
    }
  }

  @Test("labels count with what surrounds them in a message")
  func labels() throws {
    var user = ImportedUser(email: "ada@example.com")
    user.labels = Dictionary(uniqueKeysWithValues: (1_000..<2_000).map { ("\($0)", "") })
    #expect(user.sizeProblem != nil)
    user.labels = Dictionary(
      uniqueKeysWithValues: (10..<26).map { ("\($0)", String(repeating: "x", count: 128)) })
    #expect(user.sizeProblem == nil)
  }
}
