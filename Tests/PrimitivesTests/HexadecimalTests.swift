import Primitives
import Testing

@Suite struct HexadecimalTests {
  @Test("bytes and numbers have two digits per byte, leading zeros included")
  func encode() {
    #expect(Hexadecimal.encode([]) == "")
    #expect(Hexadecimal.encode([0x00, 0x0f, 0xa5, 0xff]) == "000fa5ff")
    #expect(Hexadecimal.encode(0 as UInt64) == "0000000000000000")
    #expect(Hexadecimal.encode(0x0123_4567_89ab_cdef) == "0123456789abcdef")
  }

  @Test("every byte has the standard library's digits, and they are read back")
  func allBytes() {
    for byte in UInt8.min...UInt8.max {
      let text = Hexadecimal.encode([byte])
      #expect(UInt8(text, radix: 16) == byte)
      #expect(text.utf8.allSatisfy { Hexadecimal.value(of: $0) != nil })
      let digit = Character(Unicode.Scalar(byte))
      #expect(Hexadecimal.value(of: byte).map(Int.init) == (digit.isASCII ? digit.hexDigitValue : nil))
    }
  }

  @Test("a code point has at least four digits, in upper case")
  func codePoint() {
    #expect(("\u{7}" as Unicode.Scalar).codePoint == "U+0007")
    #expect(("é" as Unicode.Scalar).codePoint == "U+00E9")
    #expect(("😀" as Unicode.Scalar).codePoint == "U+1F600")
  }
}
