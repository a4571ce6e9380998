import Foundation
import Primitives
import Testing

@Suite struct Base64URLTests {
  @Test("encoded bytes are decoded, without padding and with the URL alphabet")
  func roundTrip() {
    for length in 0..<50 {
      let bytes = SystemRandom.bytes(length)
      let text = Base64URL.encode(bytes)
      #expect(!text.contains { "+/=".contains($0) })
      #expect(Base64URL.decode(text) == Data(bytes))
    }
    #expect(Base64URL.encode([0xfb, 0xff]) == "-_8")
  }

  @Test("other text is refused", arguments: ["A", "AA==", "A A", "AA\n", "+/", "é", "AAAAA", "AA=A"])
  func refused(text: String) {
    #expect(Base64URL.decode(text) == nil)
  }
}
