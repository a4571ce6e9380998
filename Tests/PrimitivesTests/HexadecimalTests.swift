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

  @Test("eight digits are read back, in either case, and nothing else is")
  func number() {
    for _ in 0..<1_000 {
      let number = UInt32.random(in: 0 ... .max)
      #expect(Hexadecimal.number(of: Hexadecimal.digits(number)) == number)
    }
    #expect(Hexadecimal.number(of: 0x4142_4344_4546_3039) == 0xabcd_ef09)
    // Every byte at every place, beside digits.
    for place in UInt64(0)..<8 {
      for byte in UInt8.min...UInt8.max {
        let others = 0x3131_3131_3131_3131 & ~(0xff << (place * 8))
        let number = Hexadecimal.number(of: others | UInt64(byte) << (place * 8))
        let value = Hexadecimal.value(of: byte).map { UInt32($0) << UInt32(place * 4) }
        #expect(number == value.map { 0x1111_1111 & ~(0xf << UInt32(place * 4)) | $0 })
      }
    }
  }

  @Test("a code point has at least four digits, in upper case")
  func codePoint() {
    #expect(("\u{7}" as Unicode.Scalar).codePoint == "U+0007")
    #expect(("é" as Unicode.Scalar).codePoint == "U+00E9")
    #expect(("😀" as Unicode.Scalar).codePoint == "U+1F600")
  }
}
