import Testing
import UserDomain
import UserStore

@Suite struct ImportedUserTests {
  private func row(id: UserID?, email: String = "ada@example.com") -> ForeignUser {
    ForeignUser(id: id, email: EmailAddress(trusted: email), name: UserName(trusted: "Ada"))
  }

  @Test("a row whose own id is stored needs no look at the holder of its address")
  func ownID() throws {
    var looks = 0
    let outcome = row(id: .ada, email: "Ada@example.com").outcomeIfTaken(idHolder: .ada()) {
      looks += 1
      return nil
    }
    #expect(try outcome.get() == UserImport(id: .ada, wasStored: true))
    #expect(looks == 0)
    let other = row(id: .ada, email: "eve@example.com").outcomeIfTaken(idHolder: .ada()) { nil }
    #expect(other == .failure(.idTaken))
  }

  @Test("a row whose id is free has an address or a place that is taken")
  func freeID() {
    let ofAddress = row(id: .ada).outcomeIfTaken(idHolder: nil) { User.ada(.eve) }
    #expect(ofAddress == .failure(.emailAlreadyRegistered))
    #expect(row(id: .ada).outcomeIfTaken(idHolder: nil) { nil } == .failure(.idTaken))
  }
}
