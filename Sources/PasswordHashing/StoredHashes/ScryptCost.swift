import Crypto
import CryptoExtras
import UserDomain

/// The cost of scrypt (RFC 7914 §2), within the bounds of this service.
struct ScryptCost: Hashable, Sendable {
  /// N: the number of blocks in memory, a power of two.
  let blocks: Int
  /// r: the size of a block, in units of 128 bytes.
  let blockSize: Int
  /// p: the number of repetitions, each computed after the other.
  let parallelism: Int

  /// The bounds of log2(N).
  static let logarithmBounds = 1...21
  /// The bounds of r. swift-crypto computes a memory limit that larger blocks with p = 1 exceed.
  static let blockSizeBounds = 1...16
  /// The bounds of p.
  static let parallelismBounds = 1...16
  /// The bounds of N × r × p: up to 256 MiB of memory, and about 0.5 s of one core.
  static let workBounds = 2...(1 << 21)

  var memoryBytes: Int { 128 * blocks * blockSize }
  /// The time of one core, as estimated.
  var time: Duration { .nanoseconds(240 * blocks * blockSize * parallelism) }

  /// Reads log2(N), r and p.
  init(
    logarithm: Substring, blockSize: Substring, parallelism: Substring, _ fields: HashFields
  ) throws(StoredHashError) {
    let logarithm = try fields.number(logarithm, "log2(N)", in: Self.logarithmBounds)
    try self.init(1 << logarithm, blockSize, parallelism, fields)
  }

  /// Reads N, r and p.
  init(
    blocks: Substring, blockSize: Substring, parallelism: Substring, _ fields: HashFields
  ) throws(StoredHashError) {
    let blocks = try fields.number(blocks, "N", in: 2...(1 << Self.logarithmBounds.upperBound))
    guard blocks.nonzeroBitCount == 1 else {
      throw .outOfRange("\(fields.format) N is \(blocks); it must be a power of two")
    }
    try self.init(blocks, blockSize, parallelism, fields)
  }

  private init(
    _ blocks: Int, _ blockSize: Substring, _ parallelism: Substring, _ fields: HashFields
  ) throws(StoredHashError) {
    self.blocks = blocks
    self.blockSize = try fields.number(blockSize, "r", in: Self.blockSizeBounds)
    self.parallelism = try fields.number(parallelism, "p", in: Self.parallelismBounds)
    // RFC 7914 §2: N < 2^(128 × r / 8).
    guard self.blockSize > 1 || blocks < 1 << 16 else {
      throw .outOfRange("\(fields.format) N is \(blocks); with r = 1 it must be less than 65536")
    }
    _ = try fields.check(blocks * self.blockSize * self.parallelism, "N × r × p", in: Self.workBounds)
  }

  /// Derives a key.
  func key(_ phrase: [UInt8], salt: [UInt8], length: Int) throws(UserError) -> [UInt8] {
    do {
      let key = try KDF.Scrypt.deriveKey(
        from: phrase, salt: salt, outputByteCount: length, rounds: blocks, blockSize: blockSize,
        parallelism: parallelism)
      return key.withUnsafeBytes { Array($0) }
    } catch {
      // The bounds leave a failed allocation.
      throw .passwordHashing("scrypt: \(error)")
    }
  }
}
