import Primitives
import Testing

@Suite struct SystemRandomTests {
  @Test("as many bytes are drawn as were asked for, also more than one system call gives")
  func bytes() {
    for count in [0, 1, 16, 256, 257, 1_000] {
      #expect(SystemRandom.bytes(count).count == count)
    }
    // 64 zeros in a row, or two equal draws, come once in 2^512 and 2^64 runs.
    #expect(SystemRandom.bytes(320).suffix(64).contains { $0 != 0 })
    #expect(SystemRandom.number() != SystemRandom.number())
  }
}
