import Testing
import UserDomain

@Suite struct UserReferenceTests {
  private let id = UserID(high: 0x0123_4567_89ab_7def, low: 0x8123_4567_89ab_cdef)

  @Test("the id is read in either case, and the text stays as written")
  func text() {
    for text in ["\(id)", "\(id)".uppercased()] {
      #expect(UserReference(text).id == id)
      #expect(UserReference(text).text == text)
    }
    #expect(UserReference(id).text == "\(id)")
  }

  @Test(
    "text that is not an id names no user", arguments: ["", "nobody", "01234567-89ab-7def-8123-456789abcde"])
  func noID(text: String) {
    #expect(UserReference(text).id == nil)
    #expect(UserReference(text).text == text)
  }
}
