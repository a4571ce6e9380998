import Primitives
import Testing

@Suite struct ConstantTimeTests {
  private func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    let asMemory = left.withUnsafeBytes { left in
      right.withUnsafeBytes { right in isEqualInConstantTime(left, right) }
    }
    #expect(asMemory == isEqualInConstantTime(left, right))
    return asMemory
  }

  @Test("byte strings are equal if all their bytes are, for every length up to several words")
  func comparison() {
    for count in 0...20 {
      let bytes = SystemRandom.bytes(count)
      #expect(equal(bytes, bytes))
      #expect(!equal(bytes, bytes + [0]))
      for index in bytes.indices {
        var other = bytes
        other[index] ^= 0x80
        #expect(!equal(bytes, other))
      }
    }
  }
}
