import Testing
import UserDomain
import UserStore

@Suite struct UserChangeTests {
  struct Effect: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let stored: UserStatus
    let changes: UserChanges
    /// Whether the user changes itself.
    var isOwn = false
    let resetsFailures: Bool
    let tokens: TokenChange
  }

  @Test(
    "a password or a status decides about failure counts and tokens",
    arguments: [
      Effect(
        testDescription: "a name", stored: .active, changes: UserChanges(name: UserName(trusted: "Ada L.")),
        resetsFailures: false, tokens: .none),
      Effect(
        testDescription: "an own password", stored: .active, changes: UserChanges(password: .remove),
        isOwn: true, resetsFailures: true, tokens: .end),
      Effect(
        testDescription: "inactive", stored: .active, changes: UserChanges(status: .inactive),
        resetsFailures: false, tokens: .end),
      Effect(
        testDescription: "active again", stored: .inactive, changes: UserChanges(status: .active),
        resetsFailures: true, tokens: .readmit),
      Effect(
        testDescription: "active still", stored: .active, changes: UserChanges(status: .active),
        resetsFailures: true, tokens: .readmit),
      Effect(
        testDescription: "active still, by itself", stored: .active, changes: UserChanges(status: .active),
        isOwn: true, resetsFailures: false, tokens: .readmit),
      Effect(
        testDescription: "active with a new password", stored: .inactive,
        changes: UserChanges(status: .active, password: .remove), resetsFailures: true, tokens: .end),
    ])
  func effects(effect: Effect) throws {
    let authority = WriteAuthority(userID: effect.isOwn ? .ada : .eve, epoch: 0)
    let change = try UserChange.decide(
      .ada, stored: .ada(.ada, effect.stored), passwordHash: nil, effect.changes,
      UserWrite(by: authority), now: .decision
    ).get()
    #expect(change.resetsFailures == effect.resetsFailures)
    #expect(change.tokens == effect.tokens)
    #expect(change.forgetsRequests == (effect.changes.password != nil))
    #expect(change.changesTexts == (effect.changes.name != nil))
  }
}
