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
    for place in 0..<8 {
      for byte in UInt8.min...UInt8.max {
        var digits = [UInt8](repeating: UInt8(ascii: "1"), count: 8)
        digits[place] = byte
        let number = Hexadecimal.number(of: digits.reduce(0) { $0 << 8 | UInt64($1) })
        let text = String(decoding: digits, as: UTF8.self)
        #expect(number == (Hexadecimal.value(of: byte) == nil ? nil : UInt32(text, radix: 16)))
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
