import Foundation
import Testing
import UserDomain

@Suite struct UserIDTests {
  @Test("text and bytes are two forms of one id")
  func roundTrip() throws {
    let text = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"  // RFC 9562 A.6
    let id = try #require(UserID(text))
    #expect(id.description == text)
    #expect(id.high == 0x017f_22e2_79b0_7cc3)
    #expect(id.low == 0x98c4_dc0c_0c07_398f)
    #expect(id.withUnsafeBytes { UserID(bytes: $0) } == id)
    #expect(id.withUnsafeBytes { Array($0.prefix(4)) } == [0x01, 0x7f, 0x22, 0xe2])
  }

  @Test("random ids have the text that Foundation gives them")
  func random() {
    for _ in 0..<1_000 {
      let id = UserID(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max))
      let uuid = id.withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
      #expect(id.description == uuid.uuidString.lowercased())
      #expect(Array(uuid.uuidString.utf8).withUnsafeBytes { UserID(utf8: $0) } == id)
    }
  }

  @Test("upper-case text is read, lower-case text is written")
  func letterCase() {
    #expect(
      UserID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")?.description == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
  }

  @Test(
    "anything but the 36-character form is refused",
    arguments: [
      "", "0", "017f22e279b07cc398c4dc0c0c07398f", "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
      "017f22e2-79b0-7cc3-98c4-dc0c0c07398", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
      "017f22e2-79b0-7cc3-98c4-dc0c0c07398g", "017f22e279-b0-7cc3-98c4-dc0c0c07398f",
      " 017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "urn:uuid:017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
      "017f22e2-79b0-7cc3-98c4-dc0c0c07398\u{0}", "０17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
      String(repeating: "0", count: 1_000_000), "' OR 1=1 --",
    ])
  func malformed(text: String) {
    #expect(UserID(text) == nil)
  }

  @Test("ids order as their bytes do")
  func order() {
    let ids = [
      UserID(high: 0, low: 1), UserID(high: 0, low: 1 << 63), UserID(high: 1, low: 0),
      UserID(high: 1 << 63, low: 0),
    ]
    #expect(ids.sorted() == ids)
    #expect(ids.map(\.description).sorted() == ids.map(\.description))
  }

  @Test("fewer or more than 16 bytes are not an id", arguments: [0, 15, 17])
  func wrongLength(count: Int) {
    let bytes = [UInt8](repeating: 1, count: count)
    #expect(bytes.withUnsafeBytes { UserID(bytes: $0) } == nil)
  }
}
