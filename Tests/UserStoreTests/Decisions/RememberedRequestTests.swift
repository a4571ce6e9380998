import Primitives
import Testing
import UserDomain
import UserStore

@Suite struct RememberedRequestTests {
  @Test("equal contents of requests have the hash that is stored, in every engine")
  func contentHash() {
    let (email, name) = (EmailAddress(trusted: "ada@example.com"), UserName(trusted: "Ada"))
    #expect(
      Hexadecimal.encode(RememberedRequest.contentHash(of: NewUser(email: email, name: name)))
        == "e8c01c70d5de0562d1ac954588650a728c105786c78fbee244a8a553ddf13e7a")
    let labels = UserLabels(trusted: "team=core\n")
    #expect(
      Hexadecimal.encode(
        RememberedRequest.contentHash(of: NewUser(email: email, name: name, labels: labels)))
        == "f71aeccafe6219c09b659e55d6ca4ae3f58ac258ee208749ff7a2eeeccd22979")
  }
}
