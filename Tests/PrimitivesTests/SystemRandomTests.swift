import Primitives
import Testing

@Suite struct SystemRandomTests {
  @Test("the requested number of bytes is drawn, even beyond the limit of one system call")
  func bytes() {
    for count in [0, 1, 16, 256, 257, 1_000] {
      #expect(SystemRandom.bytes(count).count == count)
    }
    // 64 zeros, or two equal draws, happen once in 2^512 and 2^64 runs.
    var bytes = [UInt8](repeating: 0, count: 320)
    bytes.withUnsafeMutableBytes { SystemRandom.fill($0) }
    #expect(bytes.suffix(64).contains { $0 != 0 })
    #expect(SystemRandom.number() != SystemRandom.number())
  }
}
