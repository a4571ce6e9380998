import Foundation

/// Random bytes from the system's cryptographic generator.
public enum SystemRandom {
  /// Fills `buffer`, with one system call per 256 bytes.
  public static let fill: @Sendable (UnsafeMutableRawBufferPointer) -> Void = { buffer in
    #if os(Linux)
      var rest = buffer[...]
      while !rest.isEmpty {
        // getentropy(3) returns up to 256 bytes whole, and waits for the kernel's generator to be seeded early in the
        // boot. It fails only on kernels older than Linux 3.17, where continuing would make ids and salts guessable.
        let piece = UnsafeMutableRawBufferPointer(rebasing: rest.prefix(256))
        let code = getentropy(piece.baseAddress!, piece.count)
        precondition(code == 0, "getentropy failed: errno \(errno)")
        rest = rest.dropFirst(piece.count)
      }
    #else
      arc4random_buf(buffer.baseAddress, buffer.count)
    #endif
  }

  /// Returns 64 random bits.
  public static func number() -> UInt64 {
    var number: UInt64 = 0
    withUnsafeMutableBytes(of: &number) { fill($0) }
    return number
  }

  /// Returns `count` random bytes.
  public static func bytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
      fill(UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(bytes)[..<count]))
      initialized = count
    }
  }
}
