import Testing
import UserDomain
import UserStore

@Suite struct UserStandingTests {
  @Test("an authority whose own check fails needs no look at its user")
  func failedCheck() {
    let bearer = WriteAuthority.Bearer(userID: .ada, epoch: 1)
    let expired = WriteAuthority(bearer: bearer) { () throws(UserError) in throw .unauthenticated(.expired) }
    var looks = 0
    let fault = expired.fault { _ in
      looks += 1
      return UserStanding(status: .active, epoch: 1)
    }
    #expect(fault == .unauthenticated(.expired))
    #expect(looks == 0)
  }

  @Test(
    "a bearer may write while it is active and in its token's epoch",
    arguments: [
      (UserStanding(status: .active, epoch: 1), true), (UserStanding(status: .active, epoch: 2), false),
      (UserStanding(status: .inactive, epoch: 1), false), (nil, false),
    ])
  func standing(standing: UserStanding?, isAccepted: Bool) {
    let fault = WriteAuthority(userID: .ada, epoch: 1).fault { _ in standing }
    #expect(fault == (isAccepted ? nil : .unauthenticated(.revoked)))
  }
}
