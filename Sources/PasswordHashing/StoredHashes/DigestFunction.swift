import Crypto
import Foundation

/// A hash function of digests, named as in texts.
enum DigestFunction: String, CaseIterable, CustomStringConvertible {
  case md5
  case sha1
  case sha256
  case sha384
  case sha512

  var description: String { rawValue }

  /// The length of a digest in bytes.
  var length: Int {
    switch self {
    case .md5: Insecure.MD5.byteCount
    case .sha1: Insecure.SHA1.byteCount
    case .sha256: SHA256.byteCount
    case .sha384: SHA384.byteCount
    case .sha512: SHA512.byteCount
    }
  }

  /// Returns the digest of `first`, then `count` times that of the last digest and `suffix`.
  func iterate(_ count: Int, from first: [UInt8], appending suffix: [UInt8]) -> [UInt8] {
    switch self {
    case .md5: Self.iterate(Insecure.MD5.self, count, first, suffix)
    case .sha1: Self.iterate(Insecure.SHA1.self, count, first, suffix)
    case .sha256: Self.iterate(SHA256.self, count, first, suffix)
    case .sha384: Self.iterate(SHA384.self, count, first, suffix)
    case .sha512: Self.iterate(SHA512.self, count, first, suffix)
    }
  }

  private static func iterate<Function: HashFunction>(
    _: Function.Type, _ count: Int, _ first: [UInt8], _ suffix: [UInt8]
  ) -> [UInt8] {
    var digest = Function.hash(data: first)
    for _ in 0..<count {
      var function = Function()
      digest.withUnsafeBytes { function.update(bufferPointer: $0) }
      suffix.withUnsafeBytes { function.update(bufferPointer: $0) }
      digest = function.finalize()
    }
    return Array(digest)
  }

  /// Returns the HMAC (RFC 2104) of `message`.
  func authenticationCode(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
    let key = SymmetricKey(data: key)
    return switch self {
    case .md5: Array(HMAC<Insecure.MD5>.authenticationCode(for: message, using: key))
    case .sha1: Array(HMAC<Insecure.SHA1>.authenticationCode(for: message, using: key))
    case .sha256: Array(HMAC<SHA256>.authenticationCode(for: message, using: key))
    case .sha384: Array(HMAC<SHA384>.authenticationCode(for: message, using: key))
    case .sha512: Array(HMAC<SHA512>.authenticationCode(for: message, using: key))
    }
  }
}
